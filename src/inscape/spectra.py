"""Grids of energy and |Q|, and what is done to any spectrum on them: rebin with the area kept, smooth, cut.

A spectrum on a grid is a *density per meV*, one value a bin (the bin's average); its area is ``sum(values * widths)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d

from inscape.errors import GridError

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.floating]

NATIVE_ENERGY_MAX = 480.0
"""Top of the native energy grid, meV: above the hardest stretch of the data (O–H, H–H excepted), 450 meV."""

IMAGINARY_CUTOFF = 0.4
"""Modes more than this below zero, meV, are imaginary; what is nearer is numerical noise of acoustic modes."""

NODES, WEIGHTS = np.polynomial.legendre.leggauss(4)
"""Of Gauss' quadrature between −1 and 1."""


def native_energy_edges() -> Array:
    """Bin edges of the energy grid that libraries and models use, meV, shape (301,).

    A bin at energy E is 0.25 meV + 0.01 E wide, like the resolution of a spectrometer: 0.25 meV for the acoustic modes
    of a soft iodide, 0.85 meV at 60 meV, 4.8 meV at an O–H stretch.
    """
    n = 300
    ratio = (1 + NATIVE_ENERGY_MAX * 0.01 / 0.25) ** (1 / n)
    return np.asarray(0.25 / 0.01 * (ratio ** np.arange(n + 1) - 1))


def native_q_edges() -> Array:
    """Bin edges of |Q| that libraries and models use, 1/Å, shape (101,): 0 to 10 in steps of 0.1."""
    return np.linspace(0.0, 10.0, 101)


def uniform_edges(stop: float, step: float, *, name: str = "grid") -> Array:
    """Edges from 0 to at least ``stop`` in equal steps."""
    if not (np.isfinite(stop) and np.isfinite(step) and step > 0 and stop >= step):
        raise GridError(
            f"{name}: got an upper end of {stop} and a step of {step}; both must be positive and the step the smaller"
        )
    count = int(np.ceil(stop / step - 1e-9))
    if count > 20_000:
        raise GridError(f"{name}: {count} bins asked for; at most 20000 are allowed, choose a wider step than {step}")
    return step * np.arange(count + 1)


def check_edges(edges: ArrayLike, *, name: str = "grid") -> Array:
    """Edges as a float array, shape (n + 1,); `GridError` unless they are finite and increase."""
    edges = np.asarray(edges, dtype=float)
    if edges.ndim != 1 or len(edges) < 2 or not np.all(np.isfinite(edges)) or np.any(np.diff(edges) <= 0):
        raise GridError(f"{name}: bin edges must be at least two finite, increasing numbers; got {edges}")
    return edges


def centres(edges: Array) -> Array:
    """Bin centres, shape (n,)."""
    return 0.5 * (edges[1:] + edges[:-1])


def edges_around(middle: Array) -> Array:
    """Bin edges around bin centres, shape (n + 1,) for n of at least 2; exact where all bins have one width."""
    inner = 0.5 * (middle[1:] + middle[:-1])
    return np.concatenate([[2 * middle[0] - inner[0]], inner, [2 * middle[-1] - inner[-1]]])


def inside_bins(edges: Array) -> tuple[Array, Array]:
    """Points of Gauss' quadrature inside each bin, and their weights, each (n, 4): a bin's weights sum to its width."""
    half = np.diff(edges)[:, None] / 2
    return centres(edges)[:, None] + half * NODES, half * WEIGHTS


def rebin(values: Array, old: Array, new: Array, *, axis: int = -1) -> Array:
    """Move a density from one set of bins to another; the area in the overlap is kept exactly.

    Parameters
    ----------
    values
        Density, one value a bin along ``axis``.
    old, new
        Bin edges, in the same unit.

    Returns
    -------
    Array
        Density on the new bins, dtype of ``values``; zero outside the old ones.
    """
    values = np.moveaxis(np.asarray(values), axis, -1)
    if values.shape[-1] != len(old) - 1:
        raise GridError(
            f"spectrum has {values.shape[-1]} bins along this axis, its grid has {len(old) - 1}: give the grid it is on"
        )
    area = np.concatenate(
        [np.zeros((*values.shape[:-1], 1)), np.cumsum(values * np.diff(old), axis=-1, dtype=float)], axis=-1
    )
    where = np.clip(np.searchsorted(old, new, side="right") - 1, 0, len(old) - 2)
    fraction = np.clip((new - old[where]) / (old[where + 1] - old[where]), 0.0, 1.0)
    cumulative = area[..., where] * (1 - fraction) + area[..., where + 1] * fraction
    return np.moveaxis((np.diff(cumulative, axis=-1) / np.diff(new)).astype(values.dtype), -1, axis)


def smooth(values: Array, sigma: float, step: float, *, axis: int = -1) -> Array:
    """Gaussian smoothing along an axis of equal steps, ``sigma`` in the unit of ``step``; no weight leaves the grid."""
    return np.asarray(gaussian_filter1d(values, sigma / step, axis=axis, mode="reflect", truncate=4.0))


def whole_powder(dataset: xr.Dataset) -> xr.DataArray:
    """The powder map of a result, by one phonon and by as many more as it holds; dimensions (q, energy)."""
    powder = dataset["powder"].transpose("q", "energy")
    if "powder_multiphonon" not in dataset:
        return powder
    many = dataset["powder_multiphonon"].sum("order").transpose("q", "energy").values
    return powder.copy(data=powder.values.astype(float) + many)


def cut(data: xr.DataArray, dim: str, low: float, high: float, *, edges: ArrayLike | None = None) -> xr.DataArray:
    """The average of a map over a range of one of its axes: a cut, of which the range is the width.

    Parameters
    ----------
    data
        A density, one value a bin along ``dim``; NaN where nothing is known, as where no detector is.
    dim
        Name of the axis: "q", "energy", "h" or "k".
    low, high
        The range, in the unit of the axis. Its ends need not be bin edges: a bin counts by its share in the range.
    edges
        Bin edges along ``dim``; around the centres unless given, which is exact for bins of one width.

    Returns
    -------
    xr.DataArray
        Without ``dim``, in the unit of ``data``. Times ``high - low`` it is the integral over the range, so that cuts
        of adjoining ranges, each times its width, add up to that of both. Where a part of the range is NaN, it is the
        average over the rest, and NaN where nothing is left. The coordinate ``dim`` is the middle of the range, and
        has ``low`` and ``high`` as attributes.

    Raises
    ------
    GridError
        No such axis, or a range that is empty or leaves the map.
    """
    if dim not in data.dims:
        raise GridError(f"the map has no axis {dim!r}; it has {', '.join(map(str, data.dims))}")
    axis = data[dim]
    unit = axis.attrs.get("units", "")
    edges = check_edges(edges_around(axis.values) if edges is None else edges, name=dim)
    slack = 1e-6 * float(np.min(np.diff(edges)))
    if not edges[0] - slack <= low < high <= edges[-1] + slack:
        raise GridError(
            f"cannot cut {dim} from {low:g} to {high:g} {unit}: the map holds {edges[0]:.6g} to {edges[-1]:.6g} "
            f"{unit}; give a lower and a higher number in there"
        )
    share = np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0.0, None)
    weight = axis.copy(data=share).drop_vars(dim)
    plain = data.drop_vars(dim)
    known = (plain.notnull() * weight).sum(dim)
    average = (plain.fillna(0.0) * weight).sum(dim) / known.where(known > 0)
    average.attrs = dict(data.attrs)
    middle = ((), 0.5 * (low + high), {**axis.attrs, "low": float(low), "high": float(high)})
    return average.rename(data.name).assign_coords({dim: middle})
