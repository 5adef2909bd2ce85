"""Maps of any grid on even bins, few enough for the network, and back; the area is kept both ways."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inscape.spectra import rebin

Array = NDArray[np.floating]
Grids = Sequence[Array]

HALF = 0.5
"""A bin of which at least this share was measured counts as measured."""


def is_even(edges: Array, most: int) -> bool:
    """Whether all bins have one width, to a thousandth, and there are at most ``most``."""
    widths = np.diff(edges)
    return len(widths) <= most and bool(np.ptp(widths) <= 1e-3 * widths.mean())


def even_edges(edges: Array, most: int) -> Array:
    """The same range in as many bins, at most ``most``, of one width; the edges themselves if they are such."""
    if is_even(edges, most):
        return edges
    return np.linspace(edges[0], edges[-1], min(len(edges) - 1, most) + 1)


def shares(old: Array, new: Array) -> Array:
    """Matrix (n_new, n_old) that brings a density from old bins to new ones: each row the shares of old bins in it."""
    return rebin(np.eye(len(old) - 1), old, new).T


def resample(values: Array, variances: Array, old: Grids, new: Grids) -> tuple[Array, Array]:
    """Mean of the measured part of each new bin, and its variance; NaN where less than half of it was measured.

    Parameters
    ----------
    values, variances
        Shape (n_q, n_energy), NaN = not measured.
    old, new
        Edges of both axes.

    Returns
    -------
    tuple
        On the new grid. The area is that of the old map where all was measured.
    """
    left, right = (shares(o, n) for o, n in zip(old, new, strict=True))
    measured = ~np.isnan(values)
    weight = left @ measured @ right.T
    inside = weight >= HALF
    safe = np.where(inside, weight, 1.0)
    mean = left @ np.where(measured, values, 0.0) @ right.T / safe
    spread = left**2 @ np.where(measured, variances, 0.0) @ (right**2).T / safe**2
    return np.where(inside, mean, np.nan), np.where(inside, spread, np.nan)


def bring_back(values: Array, old: Grids, new: Grids) -> Array:
    """A complete map on another grid, its area kept."""
    left, right = (shares(o, n) for o, n in zip(old, new, strict=True))
    return np.asarray(left @ values @ right.T)
