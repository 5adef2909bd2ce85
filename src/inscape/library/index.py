"""The index of a library: what is known of each crystal without reading its spectra, in one file of text.

It only saves time. A line counts as long as size and time of the crystal's file are those noted in it; whatever else
the folder holds is read from there, and a line that was cut short is no line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from inscape.files import whole_file

Stamp = tuple[int, int]


def stamp_of(path: Path) -> Stamp:
    """Size of a file in bytes, and when it was written, ns."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@dataclass(frozen=True, slots=True)
class Entry:
    """What the library knows of a crystal without reading its spectra."""

    id: str
    split: str
    formula: str
    space_group: str
    space_group_number: int
    n_atoms: int
    digest: str
    has_born: bool
    clean: bool
    imaginary_share: float
    imaginary_lowest_meV: float
    imaginary_q: list[float]
    highest_meV: float
    seconds: float

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> Entry:
        """The entry in the attributes of a crystal's group, which may hold more."""
        return cls(**{name: attributes[name] for name in NAMES})


NAMES = [field.name for field in fields(Entry)]
HEAD = json.dumps(["size", "time_ns", *NAMES])


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the index: an entry, and the state of the crystal's file when it was made."""

    stamp: Stamp
    entry: Entry

    def text(self) -> str:
        """As it stands in the file."""
        return json.dumps([*self.stamp, *(getattr(self.entry, name) for name in NAMES)], ensure_ascii=False) + "\n"


def read_index(path: Path) -> dict[str, Line]:
    """Lines of an index by id; none if there is no file, or one of other columns."""
    found: dict[str, Line] = {}
    try:
        file = path.open(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return found
    with file:
        if file.readline().strip() != HEAD:
            return found
        for text in file:
            try:
                size, time, name, split, formula, space_group, *rest = json.loads(text)
                entry = Entry(name, sys.intern(split), formula, sys.intern(space_group), *rest)
            except (ValueError, TypeError):  # a process died while it wrote this line
                continue
            found[name] = Line((size, time), entry)
    return found


def write_index(path: Path, lines: Iterable[Line], scratch: Path) -> None:
    """Write an index anew."""
    with whole_file(path, scratch) as beside, beside.open("w", encoding="utf-8") as file:
        file.write(HEAD + "\n")
        file.writelines(line.text() for line in lines)


def append_to_index(path: Path, line: Line) -> None:
    """Add a line."""
    with path.open("a", encoding="utf-8") as file:
        file.write(line.text())
