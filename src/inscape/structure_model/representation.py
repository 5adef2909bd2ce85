"""How maps are written before they are coded: relative to the self part, on its own cumulative scale.

The self part of coherent scattering at a wave vector follows exactly from the partial densities of states. Its
cumulative distribution over energy, u(E) from 0 to 1, is a scale that a crystal brings along: soft and hard crystals
look alike on it. There the coherent spectrum is a density ρ(Q,u) ≥ 0 with ∫ρ du = 1 at every Q (the sum rule
∫R dE = (1/N) Σ_d |b_d|² ħ²Q²/2M_d exp(−2W_d) holds for the self part and for the whole), and ρ − 1 is the distinct
part. A code has to carry ρ only; a wrong density of states moves the distinct part along with it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

N_LEVELS = 64
"""Bins of the cumulative scale u."""


def _cumulative(reduced: Array, edges: Array) -> Array:
    """Area below each energy edge, shape (..., n_energy + 1)."""
    area = np.cumsum(reduced * np.diff(edges), axis=-1, dtype=float)
    return np.concatenate([np.zeros((*area.shape[:-1], 1)), area], axis=-1)


def cumulative_dos(total: Array, edges: Array) -> Array:
    """Share of a density of states below the upper edge of each bin, shape (..., n_energy): what its code carries.

    A code of the cumulative curve is judged by area moved over energy, not by the height of narrow bins.
    """
    below = _cumulative(total, edges)[..., 1:]
    return np.asarray(below / below[..., -1:])


def from_cumulative_dos(cumulative: Array, edges: Array) -> Array:
    """Density of states of area 1, shape (..., n_energy), from its cumulative curve, which is made to increase."""
    increasing = np.maximum.accumulate(np.clip(cumulative, 0.0, 1.0), axis=-1)
    share = np.diff(increasing, axis=-1, prepend=0.0)
    return np.asarray(share / share.sum(axis=-1, keepdims=True) / np.diff(edges))


def relative_density(coherent: Array, self_part: Array, edges: Array, n_levels: int = N_LEVELS) -> Array:
    """ρ(Q,u) of reduced coherent spectra.

    Parameters
    ----------
    coherent, self_part
        Reduced spectra R, shape (n, n_energy), of the same unit.
    edges
        Energy bin edges, shape (n_energy + 1,), meV.

    Returns
    -------
    Array
        Shape (n, n_levels), mean 1 in each row; a row without intensity is 1 throughout.
    """
    below_self, below = _cumulative(self_part, edges), _cumulative(coherent, edges)
    levels = np.linspace(0, 1, n_levels + 1)
    density = np.ones((len(coherent), n_levels))
    for row, (u, c) in enumerate(zip(below_self, below, strict=True)):
        if u[-1] > 0 and c[-1] > 0:
            cumulative = np.interp(levels, u / u[-1], c / c[-1])
            cumulative[[0, -1]] = 0, 1  # intensity where the self part has none goes to the nearest level
            density[row] = np.diff(cumulative) * n_levels
    return density


def from_relative_density(density: Array, self_part: Array, edges: Array) -> Array:
    """Reduced coherent spectra, shape (n, n_energy), from ρ and the self part: the inverse of `relative_density`.

    Negative values of ρ count as 0; the area of each row is that of the self part.
    """
    density = np.clip(density, 0.0, None)
    total = density.sum(axis=-1, keepdims=True)
    cumulative = np.concatenate([np.zeros((len(density), 1)), np.cumsum(density / total, axis=-1)], axis=-1)
    below_self = _cumulative(self_part, edges)
    area = below_self[:, -1:]
    place = np.divide(below_self, area, out=np.zeros_like(below_self), where=area > 0) * density.shape[1]
    level = np.minimum(place.astype(int), density.shape[1] - 1)
    before, after = (np.take_along_axis(cumulative, level + step, axis=1) for step in (0, 1))
    return np.asarray(np.diff(before + (after - before) * (place - level), axis=1) * area / np.diff(edges))
