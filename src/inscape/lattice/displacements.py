"""Finite displacements: supercells in which one atom is moved, and force constants from the forces in them.

phonopy chooses the displacements, as few as the symmetry of the crystal allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike, NDArray
from phonopy import Phonopy
from phonopy.structure.atoms import PhonopyAtoms

from inscape.errors import GridError, StructureError
from inscape.lattice.force_constants import ForceConstants, from_phonopy, new_phonopy, phonopy_atoms
from inscape.structures import Crystal

Array = NDArray[np.floating]

DISTANCE = 0.01
"""How far an atom is moved, Å."""

MOST_ATOMS = 5000
"""Most atoms of a supercell."""


@dataclass(frozen=True, eq=False)
class Displacements:
    """Supercells whose forces give the force constants of a crystal.

    Parameters
    ----------
    crystal
        The primitive cell.
    phonopy
        The phonopy object that chose the displacements.
    """

    crystal: Crystal
    phonopy: Phonopy

    @property
    def supercells(self) -> list[Atoms]:
        """The supercell as it is, and then once for each displacement."""
        moved = self.phonopy.supercells_with_displacements or []
        return [_atoms(cell) for cell in (self.phonopy.supercell, *moved) if cell is not None]

    def force_constants(self, forces: Sequence[ArrayLike]) -> ForceConstants:
        """Force constants from the forces in all of `supercells`, each of shape (n_supercell, 3), eV/Å.

        Forces of the undisplaced supercell, which only a crystal at rest lacks, are taken off the others.

        Raises
        ------
        ForceConstantsError
            Forces that break the acoustic sum rule.
        """
        at_rest, *moved = (np.asarray(f, dtype=float) for f in forces)
        ph = new_phonopy(self.phonopy.unitcell, self.phonopy.supercell_matrix, self.phonopy.primitive_matrix)
        ph.dataset = deepcopy(self.phonopy.dataset)
        ph.forces = np.array([f - at_rest for f in moved])
        ph.produce_force_constants(calculate_full_force_constants=False, fc_calculator="traditional", show_drift=False)
        return from_phonopy(ph, isotopes=self.crystal.isotopes)


def displace(crystal: Crystal, repetitions: ArrayLike, *, distance: float = DISTANCE) -> Displacements:
    """Displacements in a supercell of the conventional cell.

    Parameters
    ----------
    repetitions
        Basis vectors of the supercell in units of the conventional cell: three whole numbers, or rows of shape (3, 3).
    distance
        How far an atom is moved, Å; also to the other side where symmetry does not make this the same.

    Raises
    ------
    GridError
        Vectors that are not whole or do not span a cell.
    StructureError
        A supercell of more than `MOST_ATOMS` atoms.
    """
    matrix = check_repetitions(repetitions) @ np.rint(crystal.conventional_transformation).astype(int)
    n_atoms = crystal.n_atoms * abs(round(np.linalg.det(matrix)))
    if n_atoms > MOST_ATOMS:
        raise StructureError(
            f"the supercell would have {n_atoms} atoms, at most {MOST_ATOMS} are allowed: choose a smaller one"
        )
    ph = new_phonopy(phonopy_atoms(crystal), matrix.T, np.eye(3))  # phonopy has basis vectors in columns
    ph.generate_displacements(distance=distance)
    return Displacements(crystal, ph)


def repetitions_of_length(crystal: Crystal, length: float) -> NDArray[np.int64]:
    """How often the conventional cell is repeated so that opposite faces are at least ``length`` Å apart, shape (3,).

    No atom is then nearer than that to its own image.

    Raises
    ------
    GridError
        A length that is not positive.
    """
    if not (np.isfinite(length) and length > 0):
        raise GridError(f"length of the supercell is {length} Å; it must be positive, such as 10")
    between_faces = 2 * np.pi / np.linalg.norm(crystal.reciprocal_conventional, axis=1)
    return np.asarray(np.maximum(1, np.ceil(length / between_faces - 1e-6)), dtype=np.int64)


def check_repetitions(repetitions: ArrayLike) -> NDArray[np.int64]:
    """A supercell matrix, shape (3, 3), from three or nine whole numbers; `GridError` unless it spans a cell."""
    given: Any = np.asarray(repetitions)
    if given.size not in (3, 9) or not np.all(np.isfinite(given)) or np.any(given != np.rint(given)):
        raise GridError(f"supercell is {repetitions!r}; expected three or nine whole numbers, as 2 2 2")
    rows = np.diag(given.ravel()) if given.size == 3 else given.reshape(3, 3)
    matrix: NDArray[np.int64] = np.rint(rows).astype(np.int64)
    if np.linalg.det(matrix) < 0.5:
        raise GridError(
            f"supercell vectors {matrix.tolist()} are collinear, coplanar or left-handed and span no cell; give others"
        )
    return matrix


def _atoms(cell: PhonopyAtoms) -> Atoms:
    return Atoms(numbers=cell.numbers, cell=cell.cell, scaled_positions=cell.scaled_positions, pbc=True)
