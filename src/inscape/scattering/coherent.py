"""One-phonon coherent scattering at any wave vector.

Spectra are held *reduced*: R(Q,E) = S(Q,E) · E/(n(E,T) + 1), barn sr⁻¹ per atom, whose area over E is known exactly,
∫R dE = (1/N) Σ_d |b_d|² ħ²Q²/2M_d · exp(−2W_d), and which holds no temperature but the Debye–Waller factor.
`inscape.scattering.temperature` turns R into S.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inscape.scattering.dos import SMALLEST_ENERGY
from inscape.scattering.lengths import ScatteringLengths
from inscape.scattering.products import block_bytes, products
from inscape.scattering.spreading import Spreading
from inscape.units import FM2_PER_BARN, HBAR2_2U

if TYPE_CHECKING:
    from inscape.lattice import Modes

Array = NDArray[np.floating]
Complex = NDArray[np.complexfloating]
Integers = NDArray[np.integer]

SQUARES = ((0, 1, 2, 0, 0, 1), (0, 1, 2, 1, 2, 2))
"""The independent elements of a symmetric tensor: xx, yy, zz, xy, xz, yz."""


def reduced_intensities(
    modes: Modes, index: int | Integers, wave_vectors: Array, lengths: ScatteringLengths, displacement: Array
) -> Array:
    """Reduced intensity of each mode at wave vectors Q = q + G.

    ``½ ħ² |Σ_d b_d*/√M_d · exp(−W_d(Q)) exp(−iG·r_d) Q·e_d|² / N`` (Squires 2012, eq. 3.120, times E/(n + 1)), with the
    eigenvectors' phase convention of phonopy and W_d = Q·⟨uu⟩_d·Q/2.

    Parameters
    ----------
    modes
        Modes at the wave vectors q.
    index
        Which q of ``modes`` each Q belongs to, shape (n,), in any order; or one for all.
    wave_vectors
        Q, shape (n, 3), Cartesian, 1/Å; each is its q plus a reciprocal-lattice vector.
    lengths
        Scattering lengths of the atoms.
    displacement
        Tensors of `inscape.scattering.displacements`, shape (n_atoms, 3, 3), Å².

    Returns
    -------
    Array
        Shape (n, 3 n_atoms), barn sr⁻¹ meV per atom; modes that are imaginary or have no energy are 0.
    """
    index = np.broadcast_to(index, len(wave_vectors))
    order = np.argsort(index, kind="stable")
    found = np.empty((len(index), modes.energies.shape[1]))
    found[order] = _intensities(modes, modes.polarisations, index[order], wave_vectors[order], lengths, displacement)
    return found


def add_spectra(
    spectra: Array,
    modes: Modes,
    index: Integers,
    wave_vectors: Array,
    rows: Integers,
    energy_edges: Array,
    lengths: ScatteringLengths,
    displacement: Array,
) -> None:
    """Add the reduced intensities at each Q, gathered in bins of energy, to the row of ``spectra`` that it belongs to.

    No array but ``spectra`` itself, of which there is one for each width of modes, grows with the number of wave
    vectors: they are taken in blocks, and in single precision, whose errors of some 10⁻⁷ are far below those of
    sampling.

    Parameters
    ----------
    spectra
        Shape (n_rows, n_energy), changed in place, barn sr⁻¹ meV per atom and bin.
    rows
        Row of each Q, shape (n,).
    energy_edges
        Bin edges, shape (n_energy + 1,), meV.
    """
    n_energy = len(energy_edges) - 1
    spreading = Spreading.of(modes, energy_edges)
    contents = np.zeros((spreading.n_steps, *spectra.shape)) if spreading.n_steps > 1 else spectra[None]
    bins = np.searchsorted(energy_edges, modes.energies, side="right") - 1
    outside = (bins < 0) | (bins >= n_energy)
    bins[outside] = 0
    bins += spreading.steps * spectra.size
    flat = contents.reshape(-1)
    order = np.argsort(index, kind="stable")
    polarisations = modes.polarisations.astype(np.complex64)
    block = max(1, block_bytes() // (8 * modes.energies.shape[1]))
    for start in range(0, len(order), block):
        part = order[start : start + block]
        intensity = _intensities(modes, polarisations, index[part], wave_vectors[part], lengths, displacement)
        intensity[outside[index[part]]] = 0
        where = rows[part, None] * n_energy + bins[index[part]]
        np.add.at(flat, where.ravel(), intensity.ravel().astype(float))
    if spreading.n_steps > 1:
        spectra += spreading.sum(contents)


def _intensities(
    modes: Modes,
    polarisations: Complex,
    index: Integers,
    wave_vectors: Array,
    lengths: ScatteringLengths,
    displacement: Array,
) -> Array:
    """What `reduced_intensities` returns, for an index that does not fall, in the precision of ``polarisations``."""
    vectors = _polarisation_factors(modes, index, wave_vectors, lengths, displacement, polarisations.dtype)
    factors = products(vectors, index, polarisations.reshape(*modes.energies.shape, -1))
    scale = (modes.energies >= SMALLEST_ENERGY) * (HBAR2_2U / FM2_PER_BARN / modes.crystal.n_atoms)
    return np.asarray((factors.real**2 + factors.imag**2) * scale.astype(factors.real.dtype)[index])


def _polarisation_factors(
    modes: Modes,
    index: Integers,
    wave_vectors: Array,
    lengths: ScatteringLengths,
    displacement: Array,
    precision: np.dtype[Any],
) -> Complex:
    """What multiplies e_dα in the structure factor: b_d*/√M_d exp(−W_d) exp(−iG·r_d) Q_α, shape (n, 3 n_atoms)."""
    crystal = modes.crystal
    cells = np.rint(wave_vectors @ (crystal.lattice.T / (2 * np.pi)) - modes.q[index]).astype(int)
    reach = int(np.abs(cells).max(initial=0))
    turns = np.arange(-reach, reach + 1)[:, None] * crystal.positions.T[:, None, :]
    steps = np.exp(-2j * np.pi * turns).astype(precision)  # axis, whole number, atom
    amplitude = steps[0][cells[:, 0] + reach]
    amplitude *= steps[1][cells[:, 1] + reach]
    amplitude *= steps[2][cells[:, 2] + reach]
    first, second = SQUARES
    twice = np.where(np.equal(first, second), 1.0, 2.0)
    real = amplitude.real.dtype
    squares = (wave_vectors[:, first] * wave_vectors[:, second]).astype(real)
    amplitude *= np.exp(squares @ (-0.5 * twice * displacement[:, first, second]).T.astype(real))
    conjugate = lengths.coherent - 1j * lengths.imaginary
    amplitude *= (conjugate / np.sqrt(crystal.masses)).astype(precision)
    factors = np.empty((*amplitude.shape, 3), dtype=precision)
    for axis in range(3):
        np.multiply(amplitude, wave_vectors[:, axis, None].astype(real), out=factors[:, :, axis])
    return factors.reshape(len(wave_vectors), -1)
