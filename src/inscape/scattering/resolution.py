"""Resolution: broadening that varies along an axis, as a sparse matrix that keeps the area."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.special import ndtr

from inscape.errors import GridError
from inscape.spectra import check_edges

Array = NDArray[np.floating]

FWHM = float(2 * np.sqrt(2 * np.log(2)))
"""Full width at half maximum of a Gaussian of σ = 1."""

REACH = 6.0
"""A Gaussian ends this many σ from its centre; 2·10⁻⁹ of it lies beyond."""


def broadening_matrix(edges: ArrayLike, sigma: ArrayLike) -> csr_array:
    """Matrix M that broadens a density on bins: what M @ density holds is the density seen through a Gaussian.

    Each bin is a box of constant density; it is convolved with its Gaussian exactly and gathered in the bins, so that a
    width far below that of the bins changes nothing. What would leave the grid is folded back at its ends.

    Parameters
    ----------
    edges
        Bin edges, shape (n + 1,), of any widths.
    sigma
        Standard deviation of the Gaussian of each bin, shape (n,) or one for all, in the unit of ``edges``.

    Returns
    -------
    csr_array
        Shape (n, n), none negative. Areas are kept: ``widths @ M == widths``.

    Raises
    ------
    GridError
        Widths that are negative or not finite, or of another number than bins.
    """
    edges = check_edges(edges)
    width = np.diff(edges)
    sigma = np.asarray(sigma, dtype=float)
    if sigma.shape not in {(), width.shape} or not np.all(np.isfinite(sigma)) or np.any(sigma < 0):
        raise GridError(
            f"resolution must be one width or one for each of {len(width)} bins, finite and not negative; got {sigma}"
        )
    sigma = np.broadcast_to(sigma, width.shape)
    rows, columns, shares = [], [], []
    for column in range(len(width)):
        row, share = _column(edges, column, float(sigma[column]))
        rows.append(row)
        columns.append(np.full(len(row), column))
        shares.append(share * width[column] / width[row])
    found = (np.concatenate(shares), (np.concatenate(rows), np.concatenate(columns)))
    return csr_array(found, shape=(len(width), len(width)))


def broaden(values: Array, edges: ArrayLike, sigma: ArrayLike, *, axis: int = -1) -> Array:
    """A density along ``axis``, broadened by `broadening_matrix`; its area over the grid stays.

    Parameters
    ----------
    values
        Density, one value a bin along ``axis``; a NaN spreads over the width.
    """
    moved = np.moveaxis(np.asarray(values, dtype=float), axis, 0)
    matrix = broadening_matrix(edges, sigma)
    if moved.shape[0] != matrix.shape[0]:
        raise GridError(
            f"spectrum has {moved.shape[0]} bins along this axis, its grid {matrix.shape[0]}: give the grid it is on"
        )
    found = (matrix @ moved.reshape(matrix.shape[0], -1)).reshape(moved.shape)
    return np.moveaxis(found, 0, axis)


def _column(edges: Array, column: int, sigma: float) -> tuple[NDArray[np.int64], Array]:
    """Bins that one bin's content is spread over, and the share of it that each gets; the shares add to 1."""
    low, high = edges[column], edges[column + 1]
    if sigma * REACH < 1e-9 * (high - low):
        return np.array([column]), np.ones(1)
    span = REACH * sigma
    start = min(low - span, 2 * edges[-1] - high - span)
    stop = max(high + span, 2 * edges[0] - low + span)
    first = max(int(np.searchsorted(edges, start, side="right")) - 1, 0)
    last = min(int(np.searchsorted(edges, stop)), len(edges) - 1)
    near = edges[first : last + 1]
    inside = np.diff(_cumulative(near, low, high, sigma))
    below = -np.diff(_cumulative(2 * edges[0] - near, low, high, sigma))
    above = -np.diff(_cumulative(2 * edges[-1] - near, low, high, sigma))
    share = np.maximum(inside + below + above, 0.0)
    return np.arange(first, last), share / share.sum()


def _cumulative(x: Array, low: float, high: float, sigma: float) -> Array:
    """Share below x of a box from ``low`` to ``high`` convolved with a Gaussian: the integral of Φ, by parts."""
    upper, lower = (x - low) / sigma, (x - high) / sigma
    return np.asarray(sigma / (high - low) * (_integral_of_normal(upper) - _integral_of_normal(lower)))


def _integral_of_normal(z: Array) -> Array:
    """∫ from −∞ to z of the normal distribution Φ: z Φ(z) + φ(z)."""
    return np.asarray(z * ndtr(z) + np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi))
