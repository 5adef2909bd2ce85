"""The spectrometers inscape knows by name: widths from the package resins, detectors from tables; and plugged-in ones.

A package adds an instrument of its own by declaring the class, or a function that makes one, as an entry point:

    [project.entry-points."inscape.instruments"]
    NAME = "package.module:Class"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inscape.errors import InstrumentError, MissingPackageError
from inscape.scattering.indirect import TOSCA, VISION, Bank
from inscape.scattering.instruments import AllAngles, Instrument
from inscape.scattering.kinematics import Angles

Array = NDArray[np.floating]

GROUP = "inscape.instruments"
"""Entry-point group in which packages declare instruments."""

GAIN = 0.5
"""resins fits widths from E = 0 to E_i. Down to minus this share of E_i they are within 1.5 % of what is fitted."""


@dataclass(frozen=True)
class _Entry:
    """What resins does not know of a spectrometer.

    ``final`` is E_f of indirect geometry, meV, None for direct; ``widths`` the spectrometer of resins whose widths it
    takes, where resins lacks its own; ``allowed`` are incident energies where the data of resins give none; ``gain`` is
    the share of E_i that may be gained.
    """

    angles: Angles
    final: float | None = None
    widths: str | None = None
    allowed: tuple[float, float] | None = None
    gain: float = GAIN


def _indirect(banks: Sequence[Bank], widths: str | None = None) -> _Entry:
    """What banks of one final energy reach."""
    return _Entry(tuple((bank.angle, bank.angle) for bank in banks), banks[0].final_energy, widths)


ENTRIES: Mapping[str, _Entry] = {
    "ARCS": _Entry(((2.373, 135.955),)),
    "CNCS": _Entry(((3.806, 132.609),)),
    "HYSPEC": _Entry(((5.0, 65.0),)),
    "LET": _Entry(((2.65, 140.0),)),
    "MAPS": _Entry(((3.0, 19.8), (21.1, 29.8), (31.1, 39.8), (41.1, 49.8), (51.1, 59.8))),
    "MARI": _Entry(
        ((3.43, 29.14), (30.86, 44.14), (45.86, 59.15), (60.86, 74.14), (75.86, 89.14), (90.86, 104.14),
         (105.86, 119.14), (120.86, 134.14))
    ),
    "MERLIN": _Entry(((2.838, 135.69),)),
    "PANTHER": _Entry(((5.0, 140.0),), allowed=(76.0, 150.0), gain=0.0),
    "SEQUOIA": _Entry(((1.997, 61.926),)),
    "TOSCA": _indirect(TOSCA),
    "VISION": _indirect(VISION, widths="TOSCA"),
}  # fmt: skip
"""Angles: ``tthlims`` of PyChop's files in Mantid 4; of PANTHER, Mantid's Abins; of TOSCA and VISION, those of
`inscape.scattering.indirect`. HYSPEC's detector of 60° moves; it stands where PyChop has it. PANTHER's widths are a
parabola in E_i with its lowest point at 76 meV, and meant for up to 150 meV.

VISION has the widths of TOSCA, its elder sister: σ = 0.31 meV + 0.005 E + …, so that FWHM/E is 1.4 to 1.9 % from
100 meV up. VISION was designed for 1 to 2 % (J. Z. Larese et al., American Conference on Neutron Scattering, abstract
TP40). Its own model in resins 0.1.0 lacks the width of the moderator's pulse. Below 20 meV the parabola is too wide."""


class ResinsInstrument(Instrument):
    """A spectrometer whose energy resolution the package resins computes.

    Parameters
    ----------
    name
        One of `ENTRIES`.
    e_i
        Incident energy of direct geometry, meV.
    e_f
        Final energy of indirect geometry, meV; that of `ENTRIES` unless given. Widths do not depend on it.
    settings
        Further settings by their names in resins: ``chopper_package``, ``chopper_frequency`` and so on; its defaults
        unless given.

    Raises
    ------
    MissingPackageError
        resins is not installed.
    InstrumentError
        A setting that the spectrometer does not have, lacks, or does not transmit at.

    References
    ----------
    R. Turanyi, resins: models of PyChop (direct geometry) and AbINS (PANTHER, TOSCA).
    """

    def __init__(self, name: str, *, e_i: float | None = None, e_f: float | None = None, **settings: Any) -> None:
        entry = ENTRIES[name]
        self._source = _source(name)
        self._gain = entry.gain
        if entry.final is not None:
            if e_i is not None:
                raise InstrumentError(f"{name} has indirect geometry, its final energy is fixed: leave e_i out")
            super().__init__(name, "indirect", entry.final if e_f is None else e_f, entry.angles)
        else:
            allowed = entry.allowed or self._allowed(name, settings)
            if e_i is None:
                raise InstrumentError(
                    f"{name} has direct geometry: give its incident energy e_i, {allowed[0]:g} to {allowed[1]:g} meV"
                )
            if e_f is not None:
                raise InstrumentError(f"{name} has direct geometry, its final energy is not fixed: leave e_f out")
            super().__init__(name, "direct", e_i, entry.angles, allowed)
            settings = {"e_init": float(e_i), **settings}
        self._model = self._build(settings)

    def sigma(self, energy: Array) -> Array:
        """Standard deviation of the Gaussian that resins gives, meV."""
        lowest = -self._gain * self.fixed_energy if self.kind == "direct" else 0.0
        if np.any(energy < lowest - 1e-9):
            raise InstrumentError(
                f"energy transfers go down to {energy.min():g} meV; resins knows widths of {self.name} from "
                f"{lowest:g} meV up: start the grid there"
            )
        found = self._model.get_characteristics(energy.reshape(-1, 1))["sigma"].reshape(energy.shape)
        if np.any(~(found > 0)):
            raise InstrumentError(
                f"resins gives no positive width for {self.name} at {self.fixed_energy:g} meV and energy transfers up "
                f"to {energy.max():g} meV: choose another incident energy"
            )
        return np.asarray(found)

    def _allowed(self, name: str, settings: Mapping[str, Any]) -> tuple[float, float]:
        """Incident energies that the data of resins allow with this chopper."""
        choppers = self._choices().get("chopper_package", [])
        chopper = settings.get("chopper_package")
        if chopper is not None and chopper not in choppers:
            raise InstrumentError(f"{name} has no chopper package {chopper!r}; it has {', '.join(choppers)}")
        chosen = {} if chopper is None else {"chopper_package": chopper}
        low, high = self._source.get_model_data(**chosen).restrictions["e_init"]
        return float(low), float(high)

    def _choices(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = self._source.possible_options_for_model(self._source.default_model)
        return found

    def _build(self, settings: dict[str, Any]) -> Any:
        """The model of resins in this setting, what it refuses in the words of this package."""
        known = {*self._choices(), *self._source.get_model_data().defaults, "e_init"}
        unknown = sorted(set(settings) - known)
        if unknown:
            has = sorted(known - {"e_init"}) or ["none"]
            raise InstrumentError(
                f"{self.name} has no setting {', '.join(unknown)}; its settings are: {', '.join(has)}"
            )
        from resins.models.model_base import InvalidInputError
        from resins.models.pychop import NoTransmissionError

        try:
            return self._source.get_resolution_function(**settings)
        except (InvalidInputError, NoTransmissionError) as error:
            raise InstrumentError(f"{self.name}: {error}") from error


def _source(name: str) -> Any:
    """What resins knows of a spectrometer."""
    try:
        import resins
    except ImportError as error:
        raise MissingPackageError(
            f"the resolution of {name} needs the package resins: pip install 'inscape[measured]'"
        ) from error
    return resins.Instrument.from_default(ENTRIES[name].widths or name)


def instrument_names() -> list[str]:
    """Names that `instrument` takes, those of installed packages included, sorted."""
    return sorted({*ENTRIES, *(e.name for e in entry_points(group=GROUP))})


def instrument(name: str, **settings: Any) -> Instrument:
    """A spectrometer by name.

    Parameters
    ----------
    name
        One of `instrument_names`, in any case.
    settings
        What the instrument takes: ``e_i`` in meV for direct geometry, with the chopper package and its frequencies by
        their names in resins; ``e_f`` in meV for indirect geometry, if it is not the usual one.

    Raises
    ------
    InstrumentError
        An unknown name, or a setting that the instrument does not take.
    """
    plugged = {e.name.upper(): e for e in entry_points(group=GROUP)}
    if name.upper() in plugged:
        made: Instrument = plugged[name.upper()].load()(**settings)
        return made
    if name.upper() in ENTRIES:
        return ResinsInstrument(name.upper(), **settings)
    raise InstrumentError(
        f"no instrument is called {name!r}; there are {_names()}. One of your own is a subclass "
        "of inscape.scattering.Instrument"
    )


def chosen_instrument(
    name: str | Instrument | None, ei: float | None = None, ef: float | None = None, **settings: Any
) -> Instrument | None:
    """The spectrometer that a user asks for by name, fixed energy, or both.

    Parameters
    ----------
    name
        As for `instrument`; an instrument is taken as it is. None with an energy is `AllAngles`.
    ei, ef
        Incident energy of direct, final energy of indirect geometry, meV.
    settings
        As for `instrument`.

    Returns
    -------
    Instrument | None
        None if nothing is asked for.

    Raises
    ------
    InstrumentError
        An unknown name, an energy that the instrument lacks or does not take, or settings without an instrument.
    """
    energies = {key: value for key, value in (("e_i", ei), ("e_f", ef)) if value is not None}
    if isinstance(name, Instrument):
        if energies or settings:
            raise InstrumentError(f"{name!r} is in a setting already: leave {', '.join({**energies, **settings})} out")
        return name
    if name is not None:
        return instrument(name, **energies, **settings)
    if settings:
        raise InstrumentError(f"{', '.join(settings)} belong to an instrument: name it; there are {_names()}")
    return AllAngles(**energies) if energies else None


def _names() -> str:
    return ", ".join(instrument_names())


def instrument_facts(name: str) -> dict[str, Any]:
    """What there is to choose at a spectrometer, for JSON.

    Parameters
    ----------
    name
        One of `instrument_names`.

    Returns
    -------
    dict
        ``name``; ``geometry``, "direct" or "indirect"; ``fixed_energy``, E_f in meV of indirect geometry; ``allowed``,
        smallest and largest E_i in meV of direct geometry; ``banks``, names of banks that give spectra. None where a
        plugged-in instrument does not say.

    Raises
    ------
    MissingPackageError
        resins is not installed.
    """
    entry = ENTRIES.get(name)
    found: dict[str, Any] = {"name": name, "geometry": None, "fixed_energy": None, "allowed": None, "banks": []}
    if entry is None:
        return found
    if entry.final is not None:
        banks = [bank.name for bank in ResinsInstrument(name).banks]
        return {**found, "geometry": "indirect", "fixed_energy": entry.final, "banks": banks}
    low, high = entry.allowed or _source(name).get_model_data().restrictions["e_init"]
    return {**found, "geometry": "direct", "allowed": [float(low), float(high)]}
