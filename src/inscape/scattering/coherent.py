"""One-phonon coherent scattering at any wave vector.

Spectra are held *reduced*: R(Q,E) = S(Q,E) · E/(n(E,T) + 1), barn sr⁻¹ per atom, whose area over E is known exactly,
∫R dE = (1/N) Σ_d |b_d|² ħ²Q²/2M_d · exp(−2W_d), and which holds no temperature but the Debye–Waller factor.
`inscape.scattering.temperature` turns R into S.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inscape.scattering.dos import SMALLEST_ENERGY
from inscape.scattering.lengths import ScatteringLengths
from inscape.units import FM2_PER_BARN, HBAR2_2U

if TYPE_CHECKING:
    from inscape.lattice import Modes

Array = NDArray[np.floating]


def reduced_intensities(
    modes: Modes, index: int, wave_vectors: Array, lengths: ScatteringLengths, displacement: Array
) -> Array:
    """Reduced intensity of each mode at wave vectors Q = q + G that share one q.

    ``½ ħ² |Σ_d b_d*/√M_d · exp(−W_d(Q)) exp(−iG·r_d) Q·e_d|² / N`` (Squires 2012, eq. 3.120, times E/(n + 1)), with the
    eigenvectors' phase convention of phonopy and W_d = Q·⟨uu⟩_d·Q/2.

    Parameters
    ----------
    modes
        Modes; ``index`` says at which q.
    wave_vectors
        Q, shape (n, 3), Cartesian, 1/Å; each is q plus a reciprocal-lattice vector.
    lengths
        Scattering lengths of the atoms.
    displacement
        Tensors of `inscape.scattering.displacements`, shape (n_atoms, 3, 3), Å².

    Returns
    -------
    Array
        Shape (n, 3 n_atoms), barn sr⁻¹ meV per atom; modes that are imaginary or have no energy are 0.
    """
    crystal = modes.crystal
    lattice_vectors = wave_vectors - modes.q[index] @ crystal.reciprocal
    phase = np.exp(-1j * lattice_vectors @ (crystal.positions @ crystal.lattice).T)
    square = (wave_vectors[:, :, None] * wave_vectors[:, None, :]).reshape(-1, 9)
    damping = np.exp(-0.5 * square @ displacement.reshape(-1, 9).T)
    amplitude = phase * damping * ((lengths.coherent - 1j * lengths.imaginary) / np.sqrt(crystal.masses))
    vectors = (amplitude[:, :, None] * wave_vectors[:, None, :]).reshape(len(wave_vectors), -1)
    polarisations = modes.polarisations[index].reshape(modes.energies.shape[1], -1)
    factors = vectors @ polarisations.T
    intensity = (factors.real**2 + factors.imag**2) * (HBAR2_2U / FM2_PER_BARN / crystal.n_atoms)
    intensity[:, modes.energies[index] < SMALLEST_ENERGY] = 0.0
    return np.asarray(intensity)
