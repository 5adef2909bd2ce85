"""Files that have their name only when they are whole, whatever kills process or machine; arrays, NetCDF; a lock."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from inscape.errors import DataError, LibraryError

if TYPE_CHECKING:
    import xarray as xr


@contextmanager
def whole_file(place: Path, scratch: Path) -> Iterator[Path]:
    """A scratch file to fill; when the block ends without an error, it is moved to ``place`` in one step.

    Its bytes are on the disk before it gets that name. ``scratch`` is a folder in the same file system.
    """
    scratch.mkdir(exist_ok=True)
    beside = scratch / f"{place.name}.{uuid4().hex}"
    try:
        yield beside
        with open(beside, "rb+") as file:
            os.fsync(file.fileno())
        place.parent.mkdir(parents=True, exist_ok=True)
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A scratch file beside ``path`` to fill, which takes its place when the block ends without an error.

    Raises
    ------
    DataError
        The file cannot be written there.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield scratch
        scratch.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}); name another place") from error
    finally:
        scratch.unlink(missing_ok=True)


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """A file of arrays by name, as numpy's ``.npz``, which has its name only when it is whole."""
    with replacing(path) as scratch, open(scratch, "wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def write_netcdf(dataset: xr.Dataset, path: Path) -> None:
    """A NetCDF-4 file of a dataset, its maps packed."""
    packed = {"zlib": True, "complevel": 4, "shuffle": True}
    encoding = {str(name): packed for name, data in dataset.data_vars.items() if data.ndim > 1}
    dataset.to_netcdf(path, engine="h5netcdf", encoding=encoding)


@contextmanager
def locked(path: Path, *, refusal: str) -> Iterator[None]:
    """Hold the lock ``path``, which the system frees when the process dies; `LibraryError` if another holds it."""
    from filelock import FileLock, Timeout

    try:
        held = FileLock(path).acquire(timeout=0)
    except Timeout as error:
        raise LibraryError(refusal) from error
    with held:
        yield
