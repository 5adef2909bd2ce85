"""Dynamical matrices of crystals with Born charges: phonopy's, with the sum over dipoles as matrix products.

Gonze and Lee split the force constants into a short-range part and the interaction of dipoles, an Ewald sum over
reciprocal-lattice vectors G. phonopy evaluates that sum pair by pair of atoms; each G is the outer product of one
vector of the cell with itself, so for all pairs at once the sum is a product of two matrices, several times faster.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from phonopy.harmonic.dynamical_matrix import (
    DynamicalMatrix,
    DynamicalMatrixGL,
    get_dynamical_matrices_at_qpoints,
)

BLOCK = 8
"""Wave vectors at a time: few, so that their arrays stay in the cache."""


def dynamical_matrices(matrix: DynamicalMatrix, q: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Dynamical matrices at wave vectors within the first Brillouin zone, as phonopy's own function gives them.

    Parameters
    ----------
    matrix
        phonopy's dynamical matrix, with Born charges or without.
    q
        Shape (n_q, 3), fractions of the primitive reciprocal lattice; none at Γ itself if there are Born charges.

    Returns
    -------
    NDArray
        Shape (n_q, 3 n_atoms, 3 n_atoms), eV/Å²/u.

    References
    ----------
    X. Gonze, C. Lee, Phys. Rev. B 55, 10355 (1997), eq. 71 without its sum in real space, as in phonopy.
    """
    if not isinstance(matrix, DynamicalMatrixGL):
        return np.asarray(get_dynamical_matrices_at_qpoints(matrix, q))
    if matrix.short_range_force_constants is None:
        matrix.make_Gonze_nac_dataset()
    short_range: Any = matrix.short_range_force_constants
    short = DynamicalMatrix(matrix.supercell, matrix.primitive, short_range)
    found = np.asarray(get_dynamical_matrices_at_qpoints(short, q))
    _add_dipoles(found, matrix, q)
    return found


def _add_dipoles(found: NDArray[np.complex128], matrix: DynamicalMatrixGL, q: NDArray[np.float64]) -> None:
    """Add Σ_G v v† with v_d = Z_d·K exp(−K·ε·K/8Λ²)/√(K·ε·K) exp(−iG·r_d)/√M_d, K = q + G; less its value at q = 0."""
    primitive = matrix.primitive
    n_atoms = len(primitive)
    dataset: Any = matrix.Gonze_nac_dataset
    _, at_zero, _, lattice_vectors, smearing = dataset
    reciprocal = np.linalg.inv(primitive.cell)  # columns, without 2π
    factor = matrix.nac_factor
    roots = np.sqrt(matrix.normalization_masses)
    charges = (matrix.born / roots[:, None, None]).transpose(1, 0, 2).reshape(3, -1)
    angle = 2 * np.pi * np.repeat(lattice_vectors @ primitive.positions.T, 3, axis=1)
    cosine, sine = np.cos(angle), np.sin(angle)
    n_g = len(lattice_vectors)
    diagonal = np.arange(n_atoms)
    blocks = np.zeros((n_atoms, 3, n_atoms, 3), dtype=complex)
    blocks[diagonal, :, diagonal, :] = at_zero * factor / (roots**2)[:, None, None]
    own = blocks.reshape(3 * n_atoms, 3 * n_atoms)
    for start in range(0, len(q), BLOCK):
        part = slice(start, start + BLOCK)
        k = (q[part] @ reciprocal.T)[:, None] + lattice_vectors
        metric = np.sum(k @ matrix.dielectric_constant * k, axis=-1)
        weight = np.sqrt(factor / metric) * np.exp(-metric / (8 * smearing**2))
        dipole = (weight[..., None] * k) @ charges
        waves = np.empty((len(k), 2 * n_g, 3 * n_atoms))
        waves[:, :n_g] = dipole * cosine
        waves[:, n_g:] = dipole * sine
        mixed = waves[:, n_g:].transpose(0, 2, 1) @ waves[:, :n_g]
        found[part].real += waves.transpose(0, 2, 1) @ waves - own.real
        found[part].imag += mixed - mixed.transpose(0, 2, 1) - own.imag
