"""Units of axes as files spell them, turned into meV and 1/Å."""

from __future__ import annotations

import re

from inscape.errors import DataError
from inscape.units import INVERSE_CM, THZ

JOULE = 1 / 1.602176634e-22
"""1 J in meV."""

ENERGIES = {
    "mev": 1.0, "millielectron_volt": 1.0, "deltae": 1.0, "ev": 1e3, "electron_volt": 1e3, "µev": 1e-3, "uev": 1e-3,
    "microev": 1e-3, "thz": THZ, "terahertz": THZ, "terahz": THZ, "cm-1": INVERSE_CM, "1/cm": INVERSE_CM,
    "1/centimeter": INVERSE_CM, "deltae_inwavenumber": INVERSE_CM, "j": JOULE, "m2*kg*s-2": JOULE,
}  # fmt: skip
"""Energies, in meV, by what `_plain` leaves of their names."""

WAVE_VECTORS = {
    "1/å": 1.0, "å-1": 1.0, "1/angstrom": 1.0, "angstrom-1": 1.0, "invangstrom": 1.0, "momentumtransfer": 1.0,
    "a-1": 1.0, "1/nm": 0.1, "nm-1": 0.1, "1/nanometer": 0.1, "1/m": 1e-10, "m-1": 1e-10, "1/bohr": 1 / 0.529177210903,
}  # fmt: skip
"""Wave vectors, in 1/Å, likewise."""


def energy_factor(unit: str | None) -> float:
    """1 ``unit`` in meV; `DataError` for a unit that is missing or unknown."""
    return _factor(unit, ENERGIES, "energies", "meV, THz, cm-1, eV or µeV")


def wave_vector_factor(unit: str | None) -> float:
    """1 ``unit`` in 1/Å; `DataError` for a unit that is missing or unknown."""
    return _factor(unit, WAVE_VECTORS, "|Q|", "1/Å or 1/nm")


def is_energy(unit: str) -> bool:
    """Whether this is the name of a unit of energy."""
    return _split(unit)[1] in ENERGIES


def is_wave_vector(unit: str) -> bool:
    """Whether this is the name of a unit of wave vectors."""
    return _split(unit)[1] in WAVE_VECTORS


def _factor(unit: str | None, known: dict[str, float], what: str, expected: str) -> float:
    if unit is None or not unit.strip():
        raise DataError(f"the file does not say in which unit {what} are: give it, {expected}")
    number, name = _split(unit)
    if name not in known:
        raise DataError(f"{what} are in {unit!r}, which is not known; expected {expected}")
    factor = number * known[name]
    return 1.0 if abs(factor - 1) < 1e-5 else factor  # 1.60218e-22 J is meant to be 1 meV


def _split(unit: str) -> tuple[float, str]:
    """A number in front of the name, as in ``1e+10*m**-1``, and the name with one spelling of powers."""
    plain = re.sub(r"[\s{}^\\]|\*\*", "", unit.strip().lower().replace("⁻¹", "-1").replace("\u03bc", "µ"))
    plain = plain.replace("ångström", "angstrom").replace("angstroms", "angstrom").replace("\u212b", "å")
    match = re.fullmatch(r"(\d+\.?\d*(?:e[+-]?\d+)?)\*(.+)", plain)
    if match:
        return float(match[1]), match[2]
    return 1.0, re.sub(r"^1\.0*/", "1/", plain)
