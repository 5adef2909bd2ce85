"""HDF5 histograms of the package multiphonon: ``<name>/data``, ``errors`` (variances) and a grid of one or two axes."""

from __future__ import annotations

import h5py
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from inscape.errors import DataError
from inscape.measured.axes import energy_factor, wave_vector_factor
from inscape.measured.container import UNKNOWN, make_measured
from inscape.measured.formats.hdf5 import groups, has, numbers, words
from inscape.measured.formats.options import Options
from inscape.spectra import edges_around

Array = NDArray[np.floating]

NAME = "histogram of multiphonon"
Q_NAMES, ENERGY_NAMES = ("q", "|q|"), ("e", "energy", "omega", "w")


def recognise(file: h5py.File) -> bool:
    """Whether some group holds data on a grid."""
    return any(has(group, "data") and isinstance(group.get("grid"), h5py.Group) for _, group in groups(file))


def read(file: h5py.File, options: Options) -> xr.Dataset:
    """The first histogram; in maps, bins of 0 with a variance of 0 are where no detector was."""
    group = next(g for _, g in groups(file) if has(g, "data") and isinstance(g.get("grid"), h5py.Group))
    axes = {name.lower(): axis for name, axis in sorted(groups(group["grid"]), key=lambda item: _index(item[1]))}
    names = ["q" if name in Q_NAMES else "energy" if name in ENERGY_NAMES else name for name in axes]
    if sorted(names) not in (["energy"], ["energy", "q"]):
        raise DataError(f"{group.name} has the axes {', '.join(axes) or 'none'}; expected E, or Q and E")
    values = numbers(group, "data", ndim=len(names))
    variances = numbers(group, "errors", ndim=len(names)) if has(group, "errors") else np.full_like(values, np.nan)
    if variances.shape != values.shape:
        raise DataError(f"{group.name} has errors of shape {variances.shape} and data of {values.shape}")
    edges = {}
    for name, axis in zip(names, axes.values(), strict=True):
        unit = words(axis.attrs.get("unit"))
        factor = wave_vector_factor(unit) if name == "q" else energy_factor(options.energy_unit or unit)
        edges[f"{name}_edges"] = factor * _edges(axis)
    if names == ["energy", "q"]:
        values, variances = values.T, variances.T
    if len(names) == 2:
        values = np.where((values == 0) & (variances == 0), np.nan, values)
    unit = words(group["data"].attrs.get("unit"))
    return make_measured(values, variances, **edges, units=UNKNOWN if unit in (None, "", "1") else unit)  # type: ignore[arg-type]


def _index(axis: h5py.Group) -> int:
    index = axis.attrs.get("index", 0)
    return int(index) if np.ndim(index) == 0 else 0


def _edges(axis: h5py.Group) -> Array:
    if has(axis, "bin boundaries"):
        return numbers(axis, "bin boundaries", ndim=1)
    middle = numbers(axis, "bin centers", ndim=1)
    if len(middle) < 2:
        raise DataError(f"{axis.name} has {len(middle)} bins; expected at least two")
    return edges_around(middle)
