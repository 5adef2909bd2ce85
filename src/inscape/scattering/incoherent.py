"""What follows from the density of states of each atom alone: incoherent scattering, and the coherent self part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inscape.units import HBAR2_2U, coth_half

Array = NDArray[np.floating]


def mean_square_displacements(partial_dos: Array, edges: Array, masses: Array, temperature: float) -> Array:
    """⟨u_d²⟩ = ħ²/2M_d ∫ g_d(E)/E coth(E/2k_BT) dE, shape (n_atoms,), Å² (Squires 2012, appendix G).

    Below 3 meV the bins of a learned density of states are noisy and their weight is large, so there g ∝ E² with the
    same area is used; a density of states from modes is better served by `inscape.scattering.displacements`.
    """
    width = np.diff(edges)
    energy = 0.5 * (edges[1:] + edges[:-1])
    low = edges[1:] <= 3.0
    area = partial_dos * width
    debye = np.where(low, edges[1:] ** 3 - edges[:-1] ** 3, 0.0)
    if low.any():
        area = np.where(low, area[:, low].sum(axis=1, keepdims=True) * debye / debye.sum(), area)
    kernel = coth_half(energy, temperature) / energy
    return np.asarray(HBAR2_2U / masses * (area @ kernel))


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
