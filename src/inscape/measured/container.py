"""The one container of measured spectra: an xarray dataset with variances, units and, where nothing was measured, NaN.

A *powder map* has the variables ``intensity`` and ``variance`` (q, energy) and ``q_edges``, ``energy_edges``; a
*density of states*, and any other spectrum over energy, has the same without q. Variances are NaN where they are not
known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from inscape.errors import DataError
from inscape.spectra import centres, check_edges

Array = NDArray[np.floating]

MAP, DOS = "powder map", "density of states"

KINDS = {MAP: ("q", "energy"), DOS: ("energy",)}
"""Kinds of measured spectra and their dimensions."""

UNITS = {"q": "1/Å", "energy": "meV"}
NAMES = {"q": "length of the wave vector, 2π included", "energy": "energy lost by the neutron"}

UNKNOWN = "arbitrary"
"""Unit of intensities that a file does not name."""


def make_measured(
    intensity: ArrayLike,
    variance: ArrayLike | None,
    *,
    energy_edges: ArrayLike,
    q_edges: ArrayLike | None = None,
    units: str = UNKNOWN,
    attributes: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """A container from plain arrays, checked.

    Parameters
    ----------
    intensity
        Mean over each bin, shape (n_q, n_energy), or (n_energy,) without ``q_edges``; not finite where nothing was
        measured.
    variance
        Of the same shape; None or NaN where it is not known.
    energy_edges, q_edges
        Bin edges, meV and 1/Å.
    units
        Unit of ``intensity``.
    attributes
        Further attributes, such as ``incident_energy_meV``; those that are None are left out.

    Raises
    ------
    DataError
        Shapes that do not fit, variances below 0, or nothing that was measured.
    GridError
        Edges that do not increase.
    """
    kind = DOS if q_edges is None else MAP
    dims = KINDS[kind]
    edges = {"energy": check_edges(energy_edges, name="energy")}
    if q_edges is not None:
        edges["q"] = check_edges(q_edges, name="|Q|")
    values = np.array(intensity, dtype=float)
    expected = tuple(len(edges[dim]) - 1 for dim in dims)
    if values.shape != expected:
        raise DataError(f"intensities have shape {values.shape}, the bins of {', '.join(dims)} {expected}")
    known = np.full(expected, np.nan) if variance is None else np.array(variance, dtype=float)
    if known.shape != expected:
        raise DataError(f"variances have shape {known.shape}, intensities {expected}")
    values[~np.isfinite(values)] = np.nan
    known[~np.isfinite(known) | np.isnan(values)] = np.nan
    if np.isnan(values).all():
        raise DataError("no bin holds a number: all intensities are NaN")
    if (negative := int(np.sum(known < 0))) > 0:
        raise DataError(f"{negative} variances are negative; expected squares of errors")
    dataset = xr.Dataset(
        {
            "intensity": (dims, values, {"units": units, "long_name": "intensity, mean over the bin"}),
            "variance": (dims, known, {"units": f"({units})²", "long_name": "square of the error of intensity"}),
        },
        attrs={"kind": kind, "units": units, **{k: v for k, v in (attributes or {}).items() if v is not None}},
    )
    for dim in dims:
        words = {"units": UNITS[dim], "long_name": NAMES[dim]}
        dataset = dataset.assign_coords({dim: (dim, centres(edges[dim]), words)})
        dataset[f"{dim}_edges"] = (f"{dim}_edge", edges[dim], {"units": UNITS[dim], "long_name": f"bin edges of {dim}"})
    return dataset


def check_measured(dataset: xr.Dataset, kind: str | None = None) -> xr.Dataset:
    """The dataset again, checked as by `make_measured`.

    Raises
    ------
    DataError
        It is no such container, or one of another kind than ``kind``.
    GridError
        Its edges do not increase.
    """
    found = dataset.attrs.get("kind")
    if found not in KINDS or "intensity" not in dataset:
        raise DataError(f"the dataset has the kind {found!r} and no intensities; expected one made by inscape.read")
    if kind is not None and found != kind:
        raise DataError(f"this is a {found}; expected a {kind}")
    names = [f"{dim}_edges" for dim in KINDS[found]]
    if missing := [name for name in (*names, "variance") if name not in dataset]:
        raise DataError(f"the dataset lacks {', '.join(missing)}; expected one made by inscape.read")
    return make_measured(
        dataset["intensity"].transpose(*KINDS[found]).values,
        dataset["variance"].transpose(*KINDS[found]).values,
        **{name: dataset[name].values for name in names},
        units=str(dataset["intensity"].attrs.get("units", UNKNOWN)),
        attributes={str(k): v for k, v in dataset.attrs.items() if k not in ("kind", "units")},
    )
