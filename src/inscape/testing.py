"""Checks that plug-ins keep their contract, for the tests of other packages.

Each takes what a package plugs in and raises an ``AssertionError`` that says which clause is broken.
"""

from __future__ import annotations

import numpy as np

from inscape.errors import GridError
from inscape.scattering import Instrument
from inscape.scattering.kinematics import q_limits


def check_instrument(instrument: Instrument) -> None:
    """Check an instrument in one setting.

    - It is an `inscape.scattering.Instrument` with a name, direct or indirect, and detectors at angles from 0 to 180°.
    - Its resolution is positive and finite wherever a neutron can go, of the shape asked for, and the same for one
      transfer as among many.
    - Transfers that no neutron of its fixed energy can make are refused.
    - A map seen through it stays positive, and is NaN where no detector is and nowhere else.
    """
    _require(isinstance(instrument, Instrument), f"{instrument!r} is no subclass of inscape.scattering.Instrument")
    _require(bool(instrument.name) and isinstance(instrument.name, str), "its name is no text")
    _require(instrument.kind in ("direct", "indirect"), f"its kind is {instrument.kind!r}, not 'direct' or 'indirect'")
    _require(instrument.fixed_energy > 0, f"its fixed energy is {instrument.fixed_energy} meV, not positive")
    limits = all(0 <= low <= high <= 180 for low, high in instrument.angles)
    _require(limits and len(instrument.angles) > 0, f"its angles {instrument.angles} are no ranges within 0 to 180°")
    _check_resolution(instrument)
    _check_view(instrument)


def _check_resolution(instrument: Instrument) -> None:
    direct = instrument.kind == "direct"
    energies = np.linspace(0.0, 0.95 * instrument.fixed_energy if direct else 400.0, 12)
    widths = instrument.resolution(energies)
    _require(widths.shape == energies.shape, f"resolution at {energies.shape} transfers has the shape {widths.shape}")
    _require(bool(np.all(np.isfinite(widths) & (widths > 0))), f"resolution is not positive and finite: {widths} meV")
    table = instrument.resolution(energies.reshape(3, 4))
    _require(np.array_equal(table, widths.reshape(3, 4)), "resolution depends on the shape of what it is asked for")
    single = float(instrument.resolution(float(energies[5])))
    _require(np.isclose(single, widths[5]), "resolution at one transfer is not what it is among many")
    beyond = 1.01 * instrument.fixed_energy * (1 if direct else -1)
    try:
        instrument.resolution(np.array([beyond]))
    except GridError:
        return
    raise AssertionError(f"{instrument.name}: resolution answers at {beyond:g} meV, where no neutron can be")


def _check_view(instrument: Instrument) -> None:
    top = instrument.fixed_energy if instrument.kind == "direct" else 40.0
    energy_edges = np.linspace(0.0, 1.2 * top, 41)
    reachable = q_limits(energy_edges, instrument.angles, **instrument.geometry)
    q_edges = np.linspace(0.0, 1.2 * np.nanmax(reachable), 31)
    values = np.ones((30, 40))
    seen = instrument.measure(values, q_edges, energy_edges)
    mask = instrument.reach(q_edges, energy_edges)
    _require(mask.shape == values.shape, f"reach has the shape {mask.shape} for a map of {values.shape}")
    _require(bool(np.array_equal(np.isnan(seen), ~mask)), "what no detector reaches is not NaN, or something else is")
    _require(bool(mask.any()), "no detector reaches anything")
    _require(bool(np.all(seen[mask] >= 0)), "a positive map becomes negative")


def _require(kept: bool, clause: str) -> None:
    if not kept:
        raise AssertionError(f"the contract of an instrument is broken: {clause}")
