"""What a network leaves of a measurement, brought back as far as the measurement itself shows that it is no noise.

Where enough is counted, a map tells how well it is cleaned: x + ε and x − ε, ε drawn with the variance of x, are two
independent measurements of the same. One is cleaned, and what of its residual, smoothed in several ways, foretells the
other is found by least squares, for groups of bins that are alike in signal, and in how large the residual around them
is. So come back fine structure and the fixed patterns of detectors, of which no library spectrum knows.

References
----------
N. L. Oliveira, J. Lei and R. J. Tibshirani, arXiv:2111.09447 (2021): two independent copies of normal data by added
noise, and what they tell of the error ("coupled bootstrap").
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Array = NDArray[np.floating]
Clean = Callable[[Array, Array], Array]

WIDTHS = ((0.0, 0.0), (0.0, 0.7), (0.7, 0.0), (0.7, 0.7), (0.0, 2.0), (2.0, 0.0), (1.5, 1.5), (3.0, 3.0))
"""Smoothing of residuals, bins of |Q| and energy."""

NEAR = (1.5, 1.5)
"""Widths over which the size of residuals, and variances, are averaged."""

GROUPS = 8
PER_GROUP = 45
"""Most groups along either measure, and about how many bins each has to hold."""

DRAWS = 12

RIDGE = 0.01
"""Of the mean diagonal element, added to the normal equations."""

LEAST = 0.02
"""Of the mean variance around a bin, its own is taken to be at least this share."""


def remainder(clean: Clean, values: Array, variances: Array, *, seed: int = 0) -> tuple[Array, Array]:
    """What is to be added to the clean map, and the mean squared error that then remains.

    Parameters
    ----------
    clean
        From values and variances, NaN = not measured, to a complete clean map.
    values, variances
        Shape (n_q, n_energy), NaN alike; of `events` enough for the noise to be normal.
    seed
        Of the noise that is added.

    Returns
    -------
    tuple
        Shape (n_q, n_energy) twice; 0 and NaN where nothing was measured. The error is estimated at twice the
        variance, and so rather too large.
    """
    known = ~np.isnan(values)
    noise = np.where(known, _usable(variances, known), np.nan)
    weight = np.where(known & (noise > 0), 1 / np.where(noise > 0, noise, 1.0), 0.0)
    side = int(np.clip(np.sqrt(known.sum() / PER_GROUP), 1, GROUPS))
    normal = np.zeros((side**2, len(WIDTHS), len(WIDTHS)))
    right = np.zeros((side**2, len(WIDTHS)))
    rng = np.random.default_rng(seed)
    passes = []
    for _ in range(DRAWS):
        drawn = rng.normal(size=values.shape) * np.sqrt(noise)
        one, other = values + drawn, values - drawn
        found = clean(one, 2 * noise)
        features = _features(one - found, known)
        group = _groups(found, one - found, 2 * noise, known, side)
        passes.append((features, group, other - found))
        for number in range(side**2):
            inside = known & (group == number)
            rows = features[inside] * weight[inside][:, None]
            normal[number] += rows.T @ features[inside]
            right[number] += rows.T @ (other - found)[inside]
    size = np.trace(normal, axis1=1, axis2=2) / len(WIDTHS)
    shares = np.linalg.solve(
        normal + (RIDGE * size + np.finfo(float).tiny)[:, None, None] * np.eye(len(WIDTHS)), right[:, :, None]
    )[:, :, 0]
    error = np.zeros((2, side**2))
    for features, group, left in passes:
        missed = (left - (features * shares[group]).sum(-1)) ** 2 - 2 * noise
        for row, amount in zip(error, (missed, noise), strict=True):
            row += np.bincount(group[known], (amount * weight)[known], side**2)
    share_of_noise = np.clip(error[0] / np.maximum(error[1], np.finfo(float).tiny), 0.02, 2.0)
    whole = clean(values, variances)
    group = _groups(whole, values - whole, noise, known, side)
    added = (_features(values - whole, known) * shares[group]).sum(-1)
    return np.where(known, added, 0.0), np.where(known, share_of_noise[group] * noise, np.nan)


def events(values: Array, variances: Array) -> float:
    """Median of value²/variance over the measured bins: events in a bin."""
    known = ~np.isnan(values) & (variances > 0)
    lacking = int((~np.isnan(values)).sum() - known.sum())
    return float(np.median(np.concatenate([values[known] ** 2 / variances[known], np.zeros(lacking)])))


def _usable(variances: Array, known: NDArray[np.bool_]) -> Array:
    """Variances as they are stated; the mean around where that is 0, and never less than a small share of it."""
    own = np.where(known, variances, 0.0)
    around = _smoothed(own, known, NEAR)
    return np.where(own > 0, np.maximum(own, LEAST * around), around)


def _smoothed(values: Array, known: NDArray[np.bool_], width: tuple[float, float]) -> Array:
    """Mean of the known bins under a Gaussian; 0 where there are none. Unknown values must be 0."""
    if width == (0.0, 0.0):
        return values
    weight = gaussian_filter(known.astype(float), width, mode="constant")
    return np.asarray(gaussian_filter(values, width, mode="constant") / np.maximum(weight, 1e-9))


def _features(residual: Array, known: NDArray[np.bool_]) -> Array:
    """Residuals smoothed in all ways, shape (n_q, n_energy, n_widths)."""
    filled = np.where(known, residual, 0.0)
    return np.stack([_smoothed(filled, known, width) for width in WIDTHS], axis=-1)


def _groups(clean: Array, residual: Array, noise: Array, known: NDArray[np.bool_], side: int) -> NDArray[np.int64]:
    """Number of the group of each bin: by its clean signal over noise, in that by the residual around it."""
    deviation = np.sqrt(np.where(known & (noise > 0), noise, np.inf))
    signal = clean / deviation
    around = _smoothed(np.where(known, residual / deviation, 0.0) ** 2, known, NEAR)
    cuts = np.linspace(0, 1, side + 1)[1:-1]
    outer = np.digitize(signal, np.quantile(signal[known], cuts))
    found = outer * side
    for number in range(side):
        inside = outer == number
        if (both := inside & known).any():
            found[inside] += np.digitize(around[inside], np.quantile(around[both], cuts))
    return found
