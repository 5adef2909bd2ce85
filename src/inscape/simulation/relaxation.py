"""A crystal brought to rest: cell and positions moved until neither forces nor stress are left, its symmetry kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.constraints import FixSymmetry
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS
from ase.spacegroup.symmetrize import refine_symmetry

from inscape.potentials import Engine
from inscape.simulation.cache import Arrays, digest, kept
from inscape.structures import SYMPREC, Crystal

LARGEST_FORCE = 1e-3
"""A crystal is at rest when no force is larger, eV/Å; stress times volume per atom counts as one, in eV."""

MOST_STEPS = 500


def symmetrised(crystal: Crystal) -> Crystal:
    """The crystal with its symmetry made exact, which files hold to a few digits; no atom moves further than `SYMPREC`.

    Cells of exact symmetry need the fewest displacements.
    """
    atoms = crystal.to_ase()
    refine_symmetry(atoms, symprec=SYMPREC)  # type: ignore[no-untyped-call]
    return _moved(crystal, atoms)


def relaxed(crystal: Crystal, engine: Engine, cache: Path) -> tuple[Crystal, bool]:
    """The crystal at rest in a potential, and whether it came to rest within `MOST_STEPS` steps.

    Parameters
    ----------
    crystal
        Of exact symmetry (`symmetrised`), which is kept.
    cache
        Folder where the result is kept.

    Raises
    ------
    StructureError
        The engine cannot compute it, or the cell falls apart.
    """
    atoms = crystal.to_ase()

    def relax() -> Arrays:
        with engine.applied(atoms) as moving:
            moving.set_constraint(FixSymmetry(moving, symprec=SYMPREC))  # type: ignore[no-untyped-call]
            optimiser: Any = BFGS(FrechetCellFilter(moving), logfile=None)  # type: ignore[arg-type,no-untyped-call]
            rest = optimiser.run(fmax=LARGEST_FORCE, steps=MOST_STEPS)
        return {"lattice": moving.cell.array, "positions": moving.positions, "at_rest": np.array(float(rest))}

    found = kept(cache, digest(atoms, engine.name, engine.version, "relaxed", LARGEST_FORCE, MOST_STEPS), relax)
    resting = Atoms(crystal.numbers, cell=found["lattice"], positions=found["positions"], pbc=True)
    return _moved(crystal, resting), bool(found["at_rest"])


def _moved(crystal: Crystal, atoms: Atoms) -> Crystal:
    """The crystal with cell and positions of ASE's atoms, which are in its order."""
    positions = atoms.get_scaled_positions()  # type: ignore[no-untyped-call]
    return Crystal.from_cell(
        atoms.cell.array, positions, crystal.numbers, masses=crystal.masses, isotopes=crystal.isotopes
    )
