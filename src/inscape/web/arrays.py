"""Arrays in answers: nested lists that anything reads, or base64 that is short and that Plotly takes as it is."""

from __future__ import annotations

import math
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

Form = Literal["lists", "base64"]


class Packed(BaseModel):
    """Numbers as base64 of little-endian bytes in C order; not known is NaN."""

    dtype: Literal["f4", "f8"]
    shape: str
    bdata: str


Numbers = list[Any] | Packed
"""Nested lists, in which null is not known, or `Packed`."""


class Axis(BaseModel):
    """Bin centres and, where there are bins, their edges."""

    units: str
    label: str
    values: Numbers
    edges: Numbers | None = None


class Variable(BaseModel):
    """Numbers over axes, named in the order of their dimensions."""

    dims: list[str]
    units: str
    label: str
    values: Numbers


def packed(array: Any, form: Form, *, exact: bool = False) -> Any:
    """An array of numbers in one of the two forms; ``exact`` keeps double precision in base64."""
    if form == "base64":
        kind = "<f8" if exact else "<f4"  # flags become 0 and 1
        return {
            "dtype": kind[1:],
            "shape": ",".join(map(str, array.shape)),
            "bdata": b64encode(array.astype(kind).tobytes()).decode(),
        }
    return _plain(array.tolist())


def variable(data: DataArray, form: Form) -> dict[str, Any]:
    """A variable of a dataset."""
    return {
        "dims": [str(dim) for dim in data.dims],
        "units": str(data.attrs.get("units", "")),
        "label": str(data.attrs.get("long_name", data.name)),
        "values": packed(data.values, form),
    }


def axis(dataset: Dataset, name: str, form: Form) -> dict[str, Any]:
    """An axis of a dataset, with the edges of its bins."""
    data = dataset[name]
    found = {
        "units": str(data.attrs.get("units", "")),
        "label": str(data.attrs.get("long_name", name)),
        "values": packed(data.values, form, exact=True) if data.dtype.kind in "fiu" else [str(x) for x in data.values],
    }
    if f"{name}_edges" in dataset:
        found["edges"] = packed(dataset[f"{name}_edges"].values, form, exact=True)
    return found


def _plain(value: Any) -> Any:
    """Lists with None in place of what is no number, which JSON does not have."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
