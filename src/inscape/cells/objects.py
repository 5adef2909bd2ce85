"""Cells of objects of other libraries: ASE ``Atoms``, pymatgen ``Structure``."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms

from inscape.cells.cell import Cell, checked_cell, species
from inscape.cells.isotopes import ISOTOPES, hydrogen_isotopes
from inscape.errors import StructureError


def cell_of_atoms(atoms: Atoms) -> Cell:
    """Cell of ASE atoms; masses are kept, and hydrogen of mass 2 or 3 becomes deuterium or tritium.

    Raises
    ------
    StructureError
        No cell, directions that are not periodic, sites that are occupied in part, and whatever `checked_cell` refuses.
    """
    if len(atoms) and not np.any(atoms.cell[:]):
        raise StructureError(
            "no cell: these atoms have no lattice, expected a periodic crystal: give a crystal structure, no molecule"
        )
    if not np.all(atoms.pbc):
        raise StructureError(
            f"no crystal: the periodic directions are {atoms.pbc.tolist()}, expected all three: set atoms.pbc = True "
            "if this is a crystal"
        )
    _check_occupancies(atoms)
    numbers, positions = np.asarray(atoms.numbers, dtype=np.int64), atoms.positions
    if np.isfinite(atoms.cell[:]).all() and np.linalg.matrix_rank(atoms.cell[:]) == 3:  # or `checked_cell` refuses it
        positions = np.linalg.solve(atoms.cell[:].T, positions.T).T
    if not atoms.has("masses"):  # type: ignore[no-untyped-call]
        return checked_cell(atoms.cell[:], positions, numbers)
    masses = np.array(atoms.get_masses(), dtype=float)
    isotopes = hydrogen_isotopes(numbers, masses)
    for _, isotope, mass in ISOTOPES.values():
        masses[isotopes == isotope] = mass
    return checked_cell(atoms.cell[:], positions, numbers, masses=masses, isotopes=isotopes)


def is_pymatgen_structure(source: object) -> bool:
    """Whether an object looks like pymatgen's ``Structure``; pymatgen need not be installed."""
    return all(hasattr(source, name) for name in ("lattice", "frac_coords", "is_ordered", "sites"))


def cell_of_pymatgen(structure: Any) -> Cell:
    """Cell of a pymatgen ``Structure``; oxidation states are dropped, ``D`` and ``T`` kept.

    Raises
    ------
    StructureError
        Sites that are occupied in part, and whatever `checked_cell` refuses.
    """
    for site in structure.sites:
        if not site.is_ordered:
            raise partial_occupancy(str(site.species_string))
    numbers, isotopes = species(site.specie.symbol for site in structure.sites)
    return checked_cell(structure.lattice.matrix, structure.frac_coords, numbers, isotopes=isotopes)


def partial_occupancy(site: str) -> StructureError:
    """The error for a site that is not fully occupied by one element."""
    return StructureError(
        f"partial occupancy at site {site}, expected one element at full occupancy: give an ordered structure of it"
    )


def _check_occupancies(atoms: Atoms) -> None:
    """Refuse the partial occupancies that ASE keeps in ``atoms.info``, by kind of site."""
    occupancy = atoms.info.get("occupancy")
    if not isinstance(occupancy, dict):
        return
    kinds = atoms.arrays.get("spacegroup_kinds")
    used = None if kinds is None else {str(kind) for kind in kinds}
    for kind, shares in occupancy.items():
        if (used is None or str(kind) in used) and isinstance(shares, dict):
            numeric = [share for share in shares.values() if isinstance(share, int | float)]
            if len(shares) > 1 or any(abs(share - 1) > 1e-3 for share in numeric):
                raise partial_occupancy(", ".join(f"{symbol}:{share}" for symbol, share in shares.items()))
