"""Files that have their name only when they are whole, whatever kills the process or the machine; and a lock."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from inscape.errors import LibraryError


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
def locked(path: Path, *, refusal: str) -> Iterator[None]:
    """Hold the lock ``path``, which the system frees when the process dies; `LibraryError` if another holds it."""
    try:
        held = FileLock(path).acquire(timeout=0)
    except Timeout as error:
        raise LibraryError(refusal) from error
    with held:
        yield
