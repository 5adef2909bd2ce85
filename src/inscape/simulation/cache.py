"""What was computed is kept on disk, one file for each result, so that an interrupted simulation goes on.

The name of a file is the digest of everything the result depends on: the version of the engine, the cell to the last
bit, and settings. A file is there whole or not at all; one that is damaged is computed again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from inscape.errors import DataError
from inscape.files import whole_file

Arrays = Mapping[str, NDArray[np.float64]]


def user_cache() -> Path:
    """The user's folder for what can be computed again: ``$XDG_CACHE_HOME/inscape``, else ``~/.cache/inscape``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inscape"


def digest(atoms: Atoms, *words: object) -> str:
    """SHA-256 of a cell, bit by bit, and of further words, 64 hexadecimal digits."""
    parts = [repr(words).encode(), atoms.numbers.astype("<i8").tobytes()]
    parts += [array.astype("<f8").tobytes() for array in (atoms.cell.array, atoms.positions)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def kept(folder: Path, name: str, compute: Callable[[], Arrays]) -> Arrays:
    """The arrays kept under a name in a folder; they are computed and written there first if they are not.

    Raises
    ------
    DataError
        The folder cannot be written to.
    """
    place = folder / name[:2] / f"{name}.npz"
    try:
        with open(place, "rb") as file, np.load(file) as arrays:
            return dict(arrays)
    except (OSError, EOFError, ValueError, BadZipFile):
        computed = compute()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(place, folder / "scratch") as beside, open(beside, "wb") as whole:
            np.savez(whole, allow_pickle=False, **computed)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror}); name another folder for the cache") from error
    return computed
