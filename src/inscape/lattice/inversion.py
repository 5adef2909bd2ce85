"""Modes of crystals with a centre of inversion: their dynamical matrices are real in another basis.

Inversion takes each atom d to the place of a like one d̄, and D to its conjugate: D_dd' = D*_d̄d̄'. With P, which swaps
d and d̄, V = (e^{iπ/4} + e^{−iπ/4} P)/√2 is unitary and V*DV is Re D + Im D·P, a real symmetric matrix, which is
diagonalised in half the time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inscape.structures import Crystal

UNLIKE = 1e-12
"""Matrices in which inversion leaves a larger difference, in units of their largest element, do not have it: force
constants that were given need not have the symmetry of their crystal."""

LOOKED_AT = 8
"""So many matrices, or a few more, are asked for it."""


def diagonalised(
    matrices: NDArray[np.complexfloating], crystal: Crystal, unlike: float = UNLIKE
) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """Eigenvalues, ascending, and eigenvectors in columns, as of `numpy.linalg.eigh`.

    Parameters
    ----------
    matrices
        Dynamical matrices of the crystal, with phases of the atoms, shape (n, 3 n_atoms, 3 n_atoms).
    unlike
        Difference of inverted matrices, in units of the largest element, that is taken for rounding. Eigenvectors have
        the symmetry exactly then.
    """
    partner = _partner(crystal)
    some = matrices[:: max(1, len(matrices) // LOOKED_AT)]
    if partner is None or not _inverted(some, partner, unlike):
        values, vectors = np.linalg.eigh(matrices)
        return values, vectors
    values, real = np.linalg.eigh(matrices.real + matrices.imag[:, :, partner])
    turn = np.exp(0.25j * np.pi) / np.sqrt(2)
    return values, turn * real + turn.conj() * real[:, partner]


def _partner(crystal: Crystal) -> NDArray[np.int64] | None:
    """For each coordinate of an atom that of the atom where inversion takes it, (3 n_atoms,); None if there is none."""
    turns, _, permutations = crystal.operations
    (which,) = np.nonzero((turns == -np.eye(3, dtype=int)).all(axis=(1, 2)))
    return (3 * permutations[which[0]][:, None] + np.arange(3)).ravel() if len(which) else None


def _inverted(matrices: NDArray[np.complexfloating], partner: NDArray[np.int64], unlike: float) -> bool:
    """Whether inversion takes all matrices to their conjugates."""
    there = matrices[:, partner][:, :, partner]
    return bool(np.abs(matrices - there.conj()).max(initial=0) <= unlike * np.abs(matrices).max(initial=0))
