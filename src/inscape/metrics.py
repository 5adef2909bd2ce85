"""How far a predicted spectrum is from the true one: the figures of every table.

Densities of states are compared area-normalised, maps cut by cut: the *cut cosine* is the cosine of the energy cuts at
each |Q| or (H, K), averaged over cuts; a cosine of the whole map says little, for its high |Q| is nearly all self part.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

SIGMA, SIGMA_Q = 1.0, 0.1
"""Smoothing of what is compared: of energies, meV, and of |Q|, 1/Å, and (H, K), r.l.u."""

STEP = 0.5
"""Widest step of energies on which spectra are compared, meV."""

LOWEST = 1.0
"""Maps are compared above this energy, meV."""

LOW_Q, HIGH_Q, NEAR = 0.5, 8.0, 4.0
"""Powder maps are compared between the first two |Q|, 1/Å; "near" is below the third."""


def wasserstein(p: Array, t: Array, edges: Array) -> Array:
    """Wasserstein-1 distance of area-normalised spectra on bins, in the unit of ``edges``; last axis is energy."""
    width = np.diff(edges)
    cp, ct = (np.cumsum(x * width, axis=-1) / np.sum(x * width, axis=-1, keepdims=True) for x in (p, t))
    return np.asarray(np.sum(np.abs(cp - ct) * width, axis=-1))


def mean_energy(density: Array, edges: Array) -> float:
    """Mean of the energies of a spectrum on bins, shape (n_energy,), in the unit of ``edges``."""
    area = density * np.diff(edges)
    return float(area @ (0.5 * (edges[1:] + edges[:-1])) / area.sum())


def r_squared(p: Array, t: Array) -> float:
    """Coefficient of determination of one spectrum."""
    return float(1 - np.sum((p - t) ** 2) / np.sum((t - t.mean()) ** 2))


def cosine(p: Array, t: Array, *, axis: int = -1) -> Array:
    """Cosine along an axis; NaN where the true one vanishes, 0 where only the prediction does."""
    dot = np.sum(p * t, axis=axis)
    norm_p, norm_t = np.sqrt(np.sum(p**2, axis=axis)), np.sqrt(np.sum(t**2, axis=axis))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(norm_t > 0, np.where(norm_p > 0, dot / (norm_p * norm_t), 0.0), np.nan))


def overlap(p: Array, t: Array, step: float) -> float:
    """1 − ½‖p − t‖₁ of area-normalised spectra on equal steps."""
    return float(1 - 0.5 * step * np.sum(np.abs(p - t)))
