"""Numbers and words out of HDF5 files, with errors that say what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from inscape.errors import DataError

Array = NDArray[np.floating]

MOST_NUMBERS = 200_000_000
"""A dataset that claims to hold more is not read: a damaged header may claim anything."""


def numbers(group: h5py.Group, name: str, *, ndim: int | None = None) -> Array:
    """The numbers of a dataset as floats.

    Raises
    ------
    DataError
        There is no such dataset, it holds no numbers, too many, or in another number of dimensions.
    """
    node = group.get(name)
    if not isinstance(node, h5py.Dataset):
        raise DataError(f"{group.name} has no dataset {name!r}; it has {', '.join(map(str, group)) or 'nothing'}")
    if node.dtype.kind not in "iuf" or node.shape is None:
        raise DataError(f"{node.name} holds no numbers")
    if node.size > MOST_NUMBERS:
        raise DataError(f"{node.name} claims to hold {node.size} numbers; at most {MOST_NUMBERS} are read")
    if ndim is not None and node.ndim != ndim:
        raise DataError(f"{node.name} has {node.ndim} dimensions, expected {ndim}")
    return np.asarray(node[()], dtype=float)


def has(group: h5py.Group, name: str) -> bool:
    """Whether there is such a dataset."""
    return isinstance(group.get(name), h5py.Dataset)


def words(value: Any) -> str | None:
    """Text of an attribute or of a dataset of text; None if it is none."""
    if isinstance(value, h5py.Dataset):
        if value.dtype.kind not in "SO" or value.size != 1:
            return None
        value = value[()]
    if isinstance(value, np.ndarray):
        if value.size != 1:
            return None
        value = value.flat[0]
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    return str(value).strip("\x00 ") if isinstance(value, str) else None


def groups(group: h5py.Group) -> Iterator[tuple[str, h5py.Group]]:
    """The groups in a group, by name."""
    for name in group:
        node = group.get(name)
        if isinstance(node, h5py.Group):
            yield str(name), node
