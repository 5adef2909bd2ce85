"""Force constants given pair by pair of atoms, as models predict them, folded into a supercell for lattice dynamics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inscape.lattice.dipoles import screened_splitting
from inscape.lattice.force_constants import check_finite
from inscape.lattice.sum_rules import N_TWISTS, mended, violations
from inscape.lattice.supercell import Supercell, SupercellForceConstants
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
) -> SupercellForceConstants:
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
    check_finite(tensors)
    supercell = Supercell.beyond(crystal, float(np.linalg.norm(vectors, axis=1).max()))
    fold = _Folding(supercell, pairs, vectors)
    whole = _at_rest(fold(tensors))
    if charges is not None:
        dipoles = supercell.dipoles(charges)
        splitting = screened_splitting(crystal.lattice, dipoles.dielectric)
        whole = whole + supercell.tensors_of_dipoles(dipoles, splitting)
    n = crystal.n_atoms
    missed = violations(whole.reshape(n, -1, 3, 3), _mean_ways(supercell))
    if charges is not None:
        missed[:, N_TWISTS:] = 0
    stiffness = np.linalg.norm(tensors, axis=(1, 2))
    change = mended(pairs, vectors, reverse_pairs(pairs, vectors), stiffness, missed)
    return SupercellForceConstants(supercell, _at_rest(whole - fold(change)), charges)


def reverse_pairs(pairs: NDArray[np.integer], ways: Array) -> NDArray[np.int64]:
    """For each ordered pair (2, n_pairs) and its way (n_pairs, 3), Å, the place of the same pair the other way round.

    There is one for each: pairs are those of a list that is complete in both directions.
    """
    there = np.concatenate([pairs.T, np.rint(ways / SAME_WAY)], axis=1).astype(np.int64)
    back = np.concatenate([there[:, 1::-1], -there[:, 2:]], axis=1)
    reverse = np.empty(len(there), dtype=np.int64)
    reverse[np.lexsort(back.T)] = np.lexsort(there.T)
    return reverse


def _at_rest(tensors: Array) -> NDArray[np.float64]:
    """Force constants with those of each atom with itself such that it feels nothing when all atoms move alike."""
    each = np.arange(len(tensors))
    total = tensors.sum(axis=(1, 2))
    found = np.array(tensors, dtype=np.float64)
    found[each, each, 0] -= 0.5 * (total + total.transpose(0, 2, 1))
    return found


def _mean_ways(supercell: Supercell) -> NDArray[np.float64]:
    """Way from each atom to each of the supercell, mean over the nearest images, (n_atoms, n_supercell, 3), Å."""
    ways, place, atom, share = supercell.images
    n = supercell.crystal.n_atoms
    mean = np.zeros((n, n * len(supercell.cells), 3))
    np.add.at(mean, (atom, place), ways * share[:, None])
    return np.asarray(mean @ supercell.crystal.lattice)


class _Folding:
    """Puts force constants of pairs, (n_pairs, 3, 3), into a supercell."""

    def __init__(self, supercell: Supercell, pairs: NDArray[np.integer], vectors: Array) -> None:
        crystal = supercell.crystal
        ways = vectors @ np.linalg.inv(crystal.lattice) + crystal.positions[pairs[0]] - crystal.positions[pairs[1]]
        self.where = (*pairs, supercell.place(np.rint(ways).astype(int)))
        self.shape = crystal.n_atoms, crystal.n_atoms, len(supercell.cells), 3, 3

    def __call__(self, tensors: Array) -> NDArray[np.float64]:
        found = np.zeros(self.shape)
        np.add.at(found, self.where, tensors)
        return found
