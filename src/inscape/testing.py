"""Checks that plug-ins keep their contract, for the tests of other packages.

Each takes what a package plugs in and raises an ``AssertionError`` that says which clause is broken.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from inscape.errors import GridError, StructureError
from inscape.potentials import Engine
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


def check_engine(engine: Engine, atoms: Atoms) -> None:
    """Check an engine on a crystal that it is made for.

    - It is an `inscape.potentials.Engine` whose name and version are text, the version the same each time.
    - Forces are finite, one vector an atom, and do not depend on what was computed before, to the last bit.
    - They do not depend on where in space the crystal is, and their sum is zero.
    - Stress is there, so that the cell can be relaxed.
    - An element that it says not to know is refused.
    """
    _require(isinstance(engine, Engine), f"{engine!r} is no subclass of inscape.potentials.Engine", "an engine")
    named = all(isinstance(text, str) and text for text in (engine.name, engine.version))
    _require(named and engine.version == engine.version, "its name or version is no text that stays", "an engine")
    first, second = _displaced(atoms, 1), _displaced(atoms, 2)
    forces = engine.forces(first)
    size = np.abs(forces).max()
    engine.forces(second)
    _require(np.array_equal(engine.forces(first), forces), "forces depend on what was computed before", "an engine")
    _require(np.abs(forces.sum(axis=0)).max() <= 1e-4 * (1 + size), "forces do not sum to zero", "an engine")
    second.positions = first.positions + np.array([0.3, -0.2, 0.1])
    moved = np.abs(engine.forces(second) - forces).max() <= 1e-4 * (1 + size)
    _require(bool(moved), "forces change when the whole crystal moves", "an engine")
    with engine.applied(first) as prepared:
        stress = prepared.get_stress()  # type: ignore[no-untyped-call]
    _require(np.shape(stress) == (6,) and bool(np.all(np.isfinite(stress))), "it gives no finite stress", "an engine")
    _check_foreign_element(engine, atoms)


def _displaced(atoms: Atoms, seed: int) -> Atoms:
    moved: Atoms = atoms.copy()  # type: ignore[no-untyped-call]
    moved.positions += np.random.default_rng(seed).normal(scale=0.05, size=moved.positions.shape)
    return moved


def _check_foreign_element(engine: Engine, atoms: Atoms) -> None:
    known = engine.elements()
    foreign = set(range(1, len(chemical_symbols))) - known if known is not None else set()
    if not foreign:
        return
    changed: Atoms = atoms.copy()  # type: ignore[no-untyped-call]
    changed.numbers[:] = max(foreign)
    try:
        engine.forces(changed)
    except StructureError:
        return
    raise AssertionError(f"{engine.name}: forces for {chemical_symbols[max(foreign)]}, which it says not to know")


def _require(kept: bool, clause: str, plugged: str = "an instrument") -> None:
    if not kept:
        raise AssertionError(f"the contract of {plugged} is broken: {clause}")
