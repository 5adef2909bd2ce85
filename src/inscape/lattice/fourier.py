"""Dynamical matrices of force constants in a supercell, as one product of matrices for all wave vectors.

phonopy sums over the atoms of the supercell for each pair of atoms and each wave vector anew. But what a term has of
the wave vector depends on the lattice vector R between the two cells alone: D(q) is a product of the phases exp(iq·R),
wave vectors by lattice vectors, and of the force constants, lattice vectors by pairs of atoms.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from phonopy.harmonic.dynamical_matrix import DynamicalMatrix

Array = NDArray[np.floating]

BLOCK_BYTES, LEAST = 1_000_000, 48
"""Dynamical matrices are made in blocks of about this size, which stay in the cache, and of at least so many, so that
force constants do not pass through it for each."""


class LatticeSum:
    """Σ_R Φ_ij(R) exp(iq·(R + r_j − r_i))/√(M_i M_j), without any sum over dipoles.

    An atom of the supercell at the same distance in several of its periods counts in each of them by an equal share.

    Parameters
    ----------
    positions, masses
        Of the atoms of the primitive cell, shape (n_atoms, 3), fractions of it, and (n_atoms,), u.
    images
        Ways to the atoms of the supercell.
    second
        Of which atom of the primitive cell each way leads to a copy, shape (n,).
    tensors
        Force constants between the two atoms of each way, shape (n, 3, 3), eV/Å².
    """

    def __init__(
        self,
        positions: Array,
        masses: Array,
        images: NearestImages,
        second: NDArray[np.integer],
        tensors: Array,
    ) -> None:
        n = len(positions)
        self.positions = positions
        ways, _, first, share = images
        roots = np.sqrt(masses)
        steps = np.rint(ways - positions[second] + positions[first]).astype(np.int64)
        self.lattice, index = _numbered(steps)
        terms = np.zeros((len(self.lattice), n, 3, n, 3))
        terms[index, first, :, second, :] = tensors * (share / (roots[first] * roots[second]))[:, None, None]
        terms += terms[::-1].transpose(0, 3, 4, 1, 2)  # of −R: D is Hermitian
        self.terms = terms.reshape(len(terms), -1) / 2

    @classmethod
    def of(cls, matrix: DynamicalMatrix) -> LatticeSum:
        """That of phonopy's dynamical matrix, which holds compact force constants, the cells and the masses."""
        primitive, compact = matrix.primitive, np.asarray(matrix.force_constants)
        images = NearestImages.of(*primitive.get_smallest_vectors())
        second = np.searchsorted(primitive.p2s_map, primitive.s2p_map)[images.place]
        positions, masses = np.asarray(primitive.scaled_positions), matrix.normalization_masses
        return cls(positions, masses, images, second, compact[images.first, images.place])

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


class NearestImages(NamedTuple):
    """Ways from atoms of the primitive cell to those of the supercell, several where images are equally near.

    ``ways`` (n, 3), fractions of the primitive cell; ``place`` and ``first``, (n,), the atom of the supercell and that
    of the primitive cell; ``share``, (n,), 1 over the number of ways between these two.
    """

    ways: Array
    place: NDArray[np.int64]
    first: NDArray[np.int64]
    share: Array

    @classmethod
    def of(cls, ways: Array, images: NDArray[np.integer]) -> NearestImages:
        """Of what phonopy's ``get_smallest_vectors`` gives."""
        counts, starts = images[..., 0].ravel(), images[..., 1].ravel()
        which = np.repeat(np.arange(len(counts)), counts)
        term = starts[which] + np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        place, first = np.divmod(which, images.shape[1])
        return cls(np.asarray(ways[term]), place, first, 1 / counts[which])


def _numbered(steps: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The lattice vectors among steps (n, 3) and their negatives, so that the negative of the i-th is the i-th from the
    end, shape (n_lattice, 3), and which of them each step is, (n,)."""
    reach = int(np.abs(steps).max())
    side = 2 * reach + 1
    number = ((steps + reach) * [side**2, side, 1]).sum(axis=1)
    known = np.unique(np.concatenate([number, side**3 - 1 - number]))
    lattice = np.stack(np.unravel_index(known, (side,) * 3), axis=1) - reach
    return lattice, np.searchsorted(known, number)
