"""Pairs of atoms of a crystal that are near each other."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from matscipy.neighbours import neighbour_list
from numpy.typing import NDArray

from inscape.structures import Crystal


def neighbours(crystal: Crystal, cutoff: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Ordered pairs of atoms up to a distance, and the vectors from the first to the second.

    Returns
    -------
    pairs
        Shape (2, n_pairs), indices of atoms, the first ascending.
    vectors
        Shape (n_pairs, 3), Cartesian, Å.
    """
    atoms = Atoms(crystal.numbers, cell=crystal.lattice, scaled_positions=crystal.positions, pbc=True)
    return neighbours_of(atoms, cutoff)


def neighbours_of(atoms: Atoms, cutoff: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The same of atoms of ASE."""
    source, target, vectors = neighbour_list("ijD", atoms, cutoff)
    return np.stack([source, target]).astype(np.int64), vectors
