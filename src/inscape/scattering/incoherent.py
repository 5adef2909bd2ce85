"""What follows from the density of states of each atom alone: incoherent scattering, and the coherent self part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inscape.spectra import inside_bins
from inscape.units import HBAR2_2U, coth_half

Array = NDArray[np.floating]


DEBYE_BELOW = 3.0
"""Below this energy, meV, bins of a density of states are few or noisy and weigh most: there g ∝ E² is used."""


def energies_of_bins(partial_dos: Array, edges: Array) -> tuple[Array, Array]:
    """Energies that stand for a density of states in bins, and the share of each atom at them.

    Inside a bin the density is constant, but for those up to `DEBYE_BELOW`: all of these together hold their area as
    g ∝ E².

    Parameters
    ----------
    partial_dos
        Shape (n_atoms, n), 1/meV.
    edges
        Bin edges, shape (n + 1,), meV, none below 0.

    Returns
    -------
    energies
        Shape (4 n,), meV.
    shares
        Shape (n_atoms, 4 n); their sum is the area of ``partial_dos``.
    """
    energies, weights = inside_bins(edges)
    shares = partial_dos[:, :, None] * weights
    low = edges[1:] <= DEBYE_BELOW
    debye = energies[low] ** 2 * weights[low]
    if low.any():
        shares[:, low] = shares[:, low].sum(axis=(1, 2), keepdims=True) * debye / debye.sum()
    return energies.ravel(), shares.reshape(len(partial_dos), -1)


def mean_square_displacements(partial_dos: Array, edges: Array, masses: Array, temperature: float) -> Array:
    """⟨u_d²⟩ = ħ²/2M_d ∫ g_d(E)/E coth(E/2k_BT) dE, shape (n_atoms,), Å² (Squires 2012, appendix G).

    Below `DEBYE_BELOW` the density is taken as ∝ E²; one from modes is better served by
    `inscape.scattering.displacements`.
    """
    energies, shares = energies_of_bins(partial_dos, edges)
    return np.asarray(HBAR2_2U / masses * (shares @ (coth_half(energies, temperature) / energies)))


def self_part(partial_dos: Array, masses: Array, lengths_square: Array, q: Array, displacement: Array) -> Array:
    """Reduced self part, (1/N) Σ_d β_d ħ²Q²/2M_d · exp(−Q²⟨u_d²⟩/3) · g_d(E)/3.

    With β_d = σ_inc/4π it is the one-phonon incoherent scattering of a powder, with β_d = |b_d|² the self part of the
    coherent one, each times E/(n + 1) (Squires 2012, eq. 3.135).

    Parameters
    ----------
    partial_dos
        Shape (n_atoms, n_energy), 1/meV, each of area 3.
    masses, lengths_square
        Shape (n_atoms,), u and barn sr⁻¹.
    q
        |Q|, any shape, 1/Å.
    displacement
        ⟨u_d²⟩, shape (n_atoms,), Å²; or tensors (n_atoms, 3, 3), of which a third of the trace enters.

    Returns
    -------
    Array
        Shape ``q.shape + (n_energy,)``, barn sr⁻¹ per atom.
    """
    if displacement.ndim == 3:
        displacement = np.trace(displacement, axis1=1, axis2=2)
    square = np.asarray(q)[..., None] ** 2
    weight = lengths_square / masses * square * np.exp(-square * displacement / 3)
    return np.asarray(weight @ partial_dos * (HBAR2_2U / 3 / len(masses)))
