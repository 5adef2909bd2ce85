"""Force constants given pair by pair of atoms, as models predict them, folded into a supercell for lattice dynamics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from phonopy import Phonopy
from phonopy.harmonic.dynamical_matrix import DynamicalMatrixGL
from phonopy.structure.atoms import PhonopyAtoms

from inscape.lattice.dipoles import dipole_matrices, ewald_splitting, from_commensurate, screened_splitting
from inscape.lattice.force_constants import ForceConstants, from_phonopy, new_phonopy
from inscape.structures import Crystal

Array = NDArray[np.floating]


def from_pairs(
    crystal: Crystal,
    pairs: NDArray[np.integer],
    vectors: Array,
    tensors: Array,
    charges: Mapping[str, Any] | None = None,
) -> ForceConstants:
    """Force constants of a crystal from those of its pairs of atoms; the acoustic sum rule gives those of each atom
    with itself.

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
    phonopy = _supercell(crystal, float(np.linalg.norm(vectors, axis=1).max()))
    fold = _Folding(crystal, phonopy, pairs, np.asarray(vectors, dtype=float))
    tensors = np.asarray(tensors, dtype=float)
    whole = fold(tensors)
    each, own = np.arange(crystal.n_atoms), phonopy.primitive.p2s_map
    total = whole.sum(axis=1)
    whole[each, own] -= 0.5 * (total + total.transpose(0, 2, 1))
    if charges is not None:
        phonopy.force_constants = whole
        whole = whole + _of_dipoles(phonopy, charges)
    phonopy.force_constants = whole - fold(_balance(pairs, np.linalg.norm(tensors, axis=(1, 2)), whole.sum(axis=1)))
    return from_phonopy(phonopy, isotopes=crystal.isotopes, charges=charges)


def _balance(pairs: NDArray[np.integer], stiffness: Array, sums: Array) -> NDArray[np.float64]:
    """What to take off the force constants of pairs so that the sums over the partners of each atom vanish.

    The force constant of an atom with itself, which is symmetric, has taken the symmetric part of the sum. What is
    left, antisymmetric, A_i, is taken off the pairs as w_ij (a_i − a_j), which keeps Φ_ij = Φ_jiᵀ; a solves
    Σ_j w_ij (a_i − a_j) = A_i, and can, for the A_i sum to 0.

    Parameters
    ----------
    stiffness
        The weights w, shape (n_pairs,): stiff pairs bear more.
    sums
        A, shape (n_atoms, 3, 3).
    """
    n_atoms, (first, second) = len(sums), pairs
    laplacian = np.zeros((n_atoms, n_atoms))
    np.add.at(laplacian, (first, first), stiffness)
    np.add.at(laplacian, (first, second), -stiffness)
    found = (np.linalg.pinv(laplacian, hermitian=True) @ sums.reshape(n_atoms, 9)).reshape(n_atoms, 3, 3)
    return np.asarray(stiffness[:, None, None] * (found[first] - found[second]))


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
    cells = phonopy.supercell.cell, phonopy.primitive.cell
    dielectric = np.asarray(charges["dielectric"])
    parameters: Any = ewald_splitting(*cells, dielectric) | dict(charges)
    phonopy.nac_params = parameters
    matrix = phonopy.dynamical_matrix
    assert isinstance(matrix, DynamicalMatrixGL)
    splitting = screened_splitting(cells[1], dielectric)
    return from_commensurate(matrix, lambda q: dipole_matrices(matrix, q, np.zeros_like(q), splitting))
