"""Numbers and words out of HDF5 files, with errors that say what is missing."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from inscape.errors import DataError

Array = NDArray[np.floating]

MOST_NUMBERS = 200_000_000
"""A dataset that claims to hold more is not read: a damaged header may claim anything."""

HEAP = b"GCOL\x01\x00\x00\x00"
"""Signature, version and zeros at the beginning of a collection of the global heap, which holds texts."""


def check_heaps(path: Path) -> None:
    """Refuse a file whose heap of texts is damaged so that the HDF5 library would never come back from reading it.

    Raises
    ------
    DataError
        A collection of the global heap whose objects do not lead to its end.

    References
    ----------
    The HDF Group, HDF5 File Format Specification 3.0, III.E, Global Heap. An object 0 is free space and its size
    includes the header; the library follows one of size 0 for ever.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data.find(b"\x89HDF\r\n\x1a\n")
        length = data[start + (14 if data[start + 8] < 2 else 10)]
        place = data.find(HEAP)
        while place >= 0:
            if not _leads_to_its_end(data, place, length):
                raise DataError(f"the heap of texts at byte {place} is damaged")
            place = data.find(HEAP, place + len(HEAP))


def _leads_to_its_end(data: mmap.mmap, place: int, length: int) -> bool:
    """Whether each object of a collection begins where the one before ends; ``length`` is the size of lengths."""
    end = place + int.from_bytes(data[place + 8 : place + 8 + length], "little")
    header = _padded(8 + length)
    place += header
    if end > len(data) or end < place:
        return False
    while place + header <= end:
        index = int.from_bytes(data[place : place + 2], "little")
        size = int.from_bytes(data[place + 8 : place + 8 + length], "little")
        need = header + _padded(size) if index > 0 else size
        if need == 0 or place + need > end:
            return False
        place += need
    return True


def _padded(size: int) -> int:
    return -(-size // 8) * 8


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
