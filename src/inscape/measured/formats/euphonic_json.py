"""JSON files of Euphonic's Spectrum1D and Spectrum2D; they hold no variances.

References
----------
Euphonic 2.1, ``Spectrum1D.to_json_file``: ``x_data``, ``y_data`` (and ``z_data``), each with its ``…_unit``, axes as
bin edges or centres, ``__euphonic_class__``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from inscape.errors import DataError
from inscape.measured.axes import energy_factor, is_energy, is_wave_vector, wave_vector_factor
from inscape.measured.container import DOS, UNKNOWN, make_measured
from inscape.measured.formats.options import Options
from inscape.spectra import edges_around

Array = NDArray[np.floating]

NAME = "JSON of Euphonic"

AREAS = {"1": ("1", 1.0), "": ("1", 1.0), "dimensionless": ("1", 1.0), "barn": ("barn", 1.0)}
AREAS |= {"millibarn": ("barn", 1e-3), "mbarn": ("barn", 1e-3)}
"""Units of what is per energy, and how much of the second they are."""

WRITTEN = {"1/meV": "1 / millielectron_volt", "barn/meV": "barn / millielectron_volt"}
WRITTEN |= {"barn sr⁻¹ meV⁻¹ per atom": "barn / millielectron_volt"}
"""Units as Euphonic spells them; any other is dimensionless there."""


def recognise(text: str) -> bool:
    """Whether the text is JSON."""
    return text.lstrip().startswith("{")


def read(text: str, options: Options) -> xr.Dataset:
    """A spectrum over energy, or over |Q| and energy; other axes are refused."""
    found: Any = json.loads(text)
    kind = found.get("__euphonic_class__")
    if kind not in ("Spectrum1D", "Spectrum2D"):
        raise DataError(f"this JSON holds a {kind or 'thing that is not of Euphonic'}; expected Spectrum1D or 2D")
    two = kind == "Spectrum2D"
    names = ("x", "y", "z") if two else ("x", "y")
    arrays = [np.asarray(found[f"{name}_data"], dtype=float) for name in names]
    units = [str(found[f"{name}_data_unit"]) for name in names]
    if any(array.ndim != 1 for array in arrays[:-1]) or arrays[-1].ndim != len(names) - 1:
        raise DataError(f"the arrays have shapes {', '.join(str(a.shape) for a in arrays)}; expected axes and values")
    if two and not is_wave_vector(units[0]):
        raise DataError(f"the first axis is in {units[0]!r}; expected wave vectors: only maps over |Q| are read")
    energy_unit = options.energy_unit or units[-2]
    edges = {"energy_edges": energy_factor(energy_unit) * _edges(arrays[-2], arrays[-1].shape[-1])}
    if two:
        edges["q_edges"] = wave_vector_factor(units[0]) * _edges(arrays[0], len(arrays[-1]))
    label, factor = _intensity_unit(units[-1])
    metadata = found.get("metadata")
    stated = metadata.get("units") if isinstance(metadata, dict) else None
    return make_measured(factor * arrays[-1], None, **edges, units=str(stated or label))  # type: ignore[arg-type]


def write(dataset: xr.Dataset, path: Path) -> None:
    """A Spectrum1D or Spectrum2D; what was not measured is NaN there, variances are left out."""
    units = str(dataset["intensity"].attrs["units"])
    names = [("y_data", "intensity", WRITTEN.get(units, "")), ("x_data", "energy_edges", "millielectron_volt")]
    kind = "Spectrum1D"
    if dataset.attrs["kind"] != DOS:
        kind = "Spectrum2D"
        names = [("z_data", names[0][1], names[0][2]), ("y_data", names[1][1], names[1][2])]
        names.append(("x_data", "q_edges", "1 / angstrom"))
    found: dict[str, Any] = {"__euphonic_class__": kind, "__euphonic_version__": "2.1", "metadata": {"units": units}}
    for key, name, unit in names:
        found |= {key: dataset[name].values.tolist(), f"{key}_unit": unit}
    path.write_text(json.dumps(found), encoding="utf-8")


def _edges(axis: Array, count: int) -> Array:
    if len(axis) == count + 1:
        return axis
    if len(axis) != count or count < 2:
        raise DataError(f"an axis has {len(axis)} numbers for {count} bins")
    return edges_around(axis)


def _intensity_unit(unit: str) -> tuple[str, float]:
    """The unit here and a factor, if intensity is per energy; otherwise the unit as it stands."""
    head, _, tail = (part.strip() for part in unit.partition("/"))
    if tail and is_energy(tail) and head in AREAS:
        name, factor = AREAS[head]
        return f"{name}/meV", factor / energy_factor(tail)
    return unit or UNKNOWN, 1.0
