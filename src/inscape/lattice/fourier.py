"""Dynamical matrices of force constants in a supercell, as one product of matrices for all wave vectors.

phonopy sums over the atoms of the supercell for each pair of atoms and each wave vector anew. But what a term has of
the wave vector depends on the lattice vector R between the two cells alone: D(q) is a product of the phases exp(iq·R),
wave vectors by lattice vectors, and of the force constants, lattice vectors by pairs of atoms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from phonopy.harmonic.dynamical_matrix import DynamicalMatrix
from phonopy.structure.cells import Primitive

Array = NDArray[np.float64]

BLOCK_BYTES, LEAST = 1_000_000, 48
"""Dynamical matrices are made in blocks of about this size, which stay in the cache, and of at least so many, so that
force constants do not pass through it for each."""


class LatticeSum:
    """Σ_R Φ_ij(R) exp(iq·(R + r_j − r_i))/√(M_i M_j), without any sum over dipoles.

    An atom of the supercell at the same distance in several of its periods counts in each of them by an equal share.

    Parameters
    ----------
    matrix
        phonopy's dynamical matrix, which holds compact force constants, the cells and the masses.
    """

    def __init__(self, matrix: DynamicalMatrix) -> None:
        primitive, compact = matrix.primitive, np.asarray(matrix.force_constants)
        n = len(primitive)
        self.positions = np.asarray(primitive.scaled_positions)
        ways, place, first, share = nearest_images(primitive)
        second = np.searchsorted(primitive.p2s_map, primitive.s2p_map)[place]
        steps = np.rint(ways - self.positions[second] + self.positions[first]).astype(np.int64)
        self.lattice, index = _numbered(steps)
        roots = np.sqrt(matrix.normalization_masses)
        tensors = compact[first, place] * (share / (roots[first] * roots[second]))[:, None, None]
        terms = np.zeros((len(self.lattice), n, 3, n, 3))
        terms[index, first, :, second, :] = tensors
        terms += terms[::-1].transpose(0, 3, 4, 1, 2)  # of −R: D is Hermitian
        self.terms = terms.reshape(len(terms), -1) / 2

    def __call__(self, q: Array) -> NDArray[np.complex128]:
        """Dynamical matrices at wave vectors (n_q, 3), fractions of the primitive reciprocal lattice.

        Returns
        -------
        NDArray
            Shape (n_q, 3 n_atoms, 3 n_atoms), eV/Å²/u.
        """
        n = len(self.positions)
        found = np.empty((len(q), 3 * n, 3 * n), dtype=complex)
        step = max(LEAST, BLOCK_BYTES // (16 * 9 * n**2))
        for part in (slice(start, start + step) for start in range(0, len(q), step)):
            angles = 2 * np.pi * q[part] @ self.lattice.T
            shape = -1, 3 * n, 3 * n
            own = np.exp(-2j * np.pi * (q[part] @ self.positions.T)).repeat(3, axis=1)
            block = found[part]
            block.real, block.imag = ((f(angles) @ self.terms).reshape(shape) for f in (np.cos, np.sin))
            block *= own[:, :, None]
            block *= own.conj()[:, None]
        return found


def nearest_images(
    primitive: Primitive,
) -> tuple[Array, NDArray[np.int64], NDArray[np.int64], Array]:
    """Ways from atoms of the primitive cell to those of the supercell, several where images are equally near.

    Returns
    -------
    ways
        Shape (n, 3), fractions of the primitive cell.
    place, atom
        Of the supercell and of the primitive cell, each shape (n,).
    share
        1 over the number of such ways between these two, shape (n,).
    """
    ways, images = primitive.get_smallest_vectors()
    counts, starts = images[..., 0].ravel(), images[..., 1].ravel()
    which = np.repeat(np.arange(len(counts)), counts)
    term = starts[which] + np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    place, atom = np.divmod(which, len(primitive))
    return np.asarray(ways[term]), place, atom, 1 / counts[which]


def _numbered(steps: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The lattice vectors among steps (n, 3) and their negatives, so that the negative of the i-th is the i-th from the
    end, shape (n_lattice, 3), and which of them each step is, (n,)."""
    reach = int(np.abs(steps).max())
    side = 2 * reach + 1
    number = ((steps + reach) * [side**2, side, 1]).sum(axis=1)
    known = np.unique(np.concatenate([number, side**3 - 1 - number]))
    lattice = np.stack(np.unravel_index(known, (side,) * 3), axis=1) - reach
    return lattice, np.searchsorted(known, number)
