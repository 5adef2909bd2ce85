"""Signs that a map is foreign to a network: structure that its clean map leaves in the residual."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import uniform_filter

Array = NDArray[np.floating]

WINDOW = 5
"""Bins of |Q| and of energy over which residuals are added."""

EVENTS = 10.0
"""Windows count in which so many events are: of fewer, the variance is no good estimate."""


def structure_left(values: Array, clean: Array, variances: Array) -> float:
    """Mean of (Σr)²/Σσ² over windows of 5 × 5 bins, r the residual and σ² its variance: 1 if the residual is noise.

    A residual that is structure adds up over neighbours, and one that is noise does not: this tells them apart long
    before χ² does, which is the same for a window of one bin. It falls below 1 where a clean map follows the noise.

    Parameters
    ----------
    values, clean, variances
        Of a map, shape (n_q, n_energy); NaN in the first and last is not measured.

    Returns
    -------
    float
        NaN if no window holds `EVENTS`.
    """
    residual = values - clean
    known = np.isfinite(residual) & np.isfinite(variances)
    sums = uniform_filter(np.where(known, residual, 0.0), WINDOW, mode="constant")
    spread = uniform_filter(np.where(known, variances, 0.0), WINDOW, mode="constant") / WINDOW**2
    counted = uniform_filter(np.where(known, values, 0.0), WINDOW, mode="constant")
    inside = (spread > 0) & (counted**2 >= EVENTS * spread)
    return float(np.mean(sums[inside] ** 2 / spread[inside])) if inside.any() else float("nan")


def noise_level(values: Array, variances: Array) -> float:
    """Mean variance over the squared mean intensity, of the measured bins of a map: 1 over the counts in a bin."""
    mean = float(np.nanmean(values))
    return float(np.nanmean(variances)) / max(mean**2, 1e-300)


def code_distance(code: ArrayLike, mean: ArrayLike, deviation: ArrayLike) -> float:
    """Root of the mean squared deviation of a code's elements from their mean, in their standard deviations."""
    return float(np.sqrt(np.mean(((np.asarray(code) - np.asarray(mean)) / np.asarray(deviation)) ** 2)))
