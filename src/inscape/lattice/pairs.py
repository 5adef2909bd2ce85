"""Force constants given pair by pair of atoms, as models predict them, folded into a supercell for lattice dynamics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from phonopy import Phonopy
from phonopy.structure.atoms import PhonopyAtoms
from phonopy.structure.cells import Primitive

from inscape.lattice.dipoles import Dipoles, dipole_matrices, from_commensurate, screened_splitting
from inscape.lattice.force_constants import ForceConstants, from_phonopy, new_phonopy
from inscape.lattice.fourier import nearest_images
from inscape.lattice.sum_rules import N_TWISTS, mended, violations
from inscape.structures import Crystal

Array = NDArray[np.floating]

SAME_WAY = 5e-3
"""Ways between atoms that agree within this, Å, are one."""


def from_pairs(
    crystal: Crystal,
    pairs: NDArray[np.integer],
    vectors: Array,
    tensors: Array,
    charges: Mapping[str, Any] | None = None,
) -> ForceConstants:
    """Force constants of a crystal from those of its pairs of atoms.

    The acoustic sum rule gives the force constant of each atom with itself, and without charges the rule of turning is
    kept too (`inscape.lattice.sum_rules`). With charges it is not: force constants of dipoles fall with the cube of the
    distance, and the rule's sum over them depends on where it ends.

    The supercell is one in which the pairs of each atom are nearest images, so that modes at any wave vector are those
    of the pairs, and phonopy and all that reads its files see the same.

    Parameters
    ----------
    pairs, vectors
        Ordered pairs, shape (2, n_pairs), and the way from the first atom to the second, (n_pairs, 3), Å, as
        `inscape.potentials.neighbours` gives them.
    tensors
        Shape (n_pairs, 3, 3), eV/Å²; for a pair and its reverse transposes of each other.
    charges
        Born charges and dielectric tensor as phonopy has them. The tensors are then what is left without the sum over
        dipoles with `screened_splitting`.

    Raises
    ------
    ForceConstantsError
        Values that are not finite.
    """
    vectors, tensors = np.asarray(vectors, dtype=float), np.asarray(tensors, dtype=float)
    phonopy = _supercell(crystal, float(np.linalg.norm(vectors, axis=1).max()))
    fold = _Folding(crystal, phonopy, pairs, vectors)
    own = np.arange(crystal.n_atoms), phonopy.primitive.p2s_map
    whole = _at_rest(fold(tensors), own)
    if charges is not None:
        phonopy.force_constants = whole
        whole = whole + _of_dipoles(phonopy, charges)
    missed = violations(whole, _mean_ways(phonopy.primitive))
    if charges is not None:
        missed[:, N_TWISTS:] = 0
    stiffness = np.linalg.norm(tensors, axis=(1, 2))
    change = mended(pairs, vectors, reverse_pairs(pairs, vectors), stiffness, missed)
    phonopy.force_constants = _at_rest(whole - fold(change), own)
    return from_phonopy(phonopy, crystal=crystal, charges=charges)


def reverse_pairs(pairs: NDArray[np.integer], ways: Array) -> NDArray[np.int64]:
    """For each ordered pair (2, n_pairs) and its way (n_pairs, 3), Å, the place of the same pair the other way round.

    There is one for each: pairs are those of a list that is complete in both directions.
    """
    there = np.concatenate([pairs.T, np.rint(ways / SAME_WAY)], axis=1).astype(np.int64)
    back = np.concatenate([there[:, 1::-1], -there[:, 2:]], axis=1)
    reverse = np.empty(len(there), dtype=np.int64)
    reverse[np.lexsort(back.T)] = np.lexsort(there.T)
    return reverse


def _at_rest(compact: Array, own: tuple[NDArray[np.integer], NDArray[np.integer]]) -> NDArray[np.float64]:
    """Force constants with those of each atom with itself such that it feels nothing when all atoms move alike."""
    total = compact.sum(axis=1)
    found = np.array(compact, dtype=np.float64)
    found[own] -= 0.5 * (total + total.transpose(0, 2, 1))
    return found


def _mean_ways(primitive: Primitive) -> NDArray[np.float64]:
    """Way from each atom to each of the supercell, mean over the nearest images, (n_atoms, n_supercell, 3), Å."""
    ways, place, atom, share = nearest_images(primitive)
    mean = np.zeros((len(primitive), len(primitive.s2p_map), 3))
    np.add.at(mean, (atom, place), ways * share[:, None])
    return np.asarray(mean @ primitive.cell)


def _supercell(crystal: Crystal, reach: float) -> Phonopy:
    """A supercell of whose opposite faces are more than twice ``reach`` apart."""
    apart = 1 / np.linalg.norm(np.linalg.inv(crystal.lattice), axis=0)
    repetitions = np.floor(2 * reach / apart).astype(int) + 1
    cell = PhonopyAtoms(
        cell=np.array(crystal.lattice),
        scaled_positions=np.array(crystal.positions),
        numbers=crystal.numbers,
        masses=np.array(crystal.masses, dtype=np.float64),
    )
    return new_phonopy(cell, np.diag(repetitions), np.eye(3), symmetry=False)


class _Folding:
    """Puts force constants of pairs, (n_pairs, 3, 3), into a supercell: compact, (n_atoms, n_supercell, 3, 3)."""

    def __init__(self, crystal: Crystal, phonopy: Phonopy, pairs: NDArray[np.integer], vectors: Array) -> None:
        supercell, repetitions = phonopy.supercell, np.diag(phonopy.supercell_matrix)
        atom = np.searchsorted(phonopy.primitive.p2s_map, phonopy.primitive.s2p_map)
        steps = np.rint(supercell.scaled_positions * repetitions - crystal.positions[atom]).astype(int) % repetitions
        place = np.zeros((crystal.n_atoms, *repetitions), dtype=int)
        place[(atom, *steps.T)] = np.arange(len(supercell))
        ways = vectors @ np.linalg.inv(crystal.lattice) + crystal.positions[pairs[0]] - crystal.positions[pairs[1]]
        self.where = pairs[0], place[(pairs[1], *(np.rint(ways).astype(int) % repetitions).T)]
        self.shape = crystal.n_atoms, len(supercell), 3, 3

    def __call__(self, tensors: Array) -> NDArray[np.float64]:
        found = np.zeros(self.shape)
        np.add.at(found, self.where, tensors)
        return found


def _of_dipoles(phonopy: Phonopy, charges: Mapping[str, Any]) -> NDArray[np.float64]:
    """Compact force constants of the interaction of dipoles, shape (n_atoms, n_supercell, 3, 3)."""
    matrix = phonopy.dynamical_matrix
    assert matrix is not None  # there are force constants
    dipoles = Dipoles.of(matrix, charges)
    splitting = screened_splitting(matrix.primitive.cell, dipoles.dielectric)
    return from_commensurate(matrix, lambda q: dipole_matrices(dipoles, q, np.zeros_like(q), splitting))
