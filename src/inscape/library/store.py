"""The library of spectra on disk: one Zarr group a crystal, each in a file of its own. This module reads it."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.storage import LocalStore, ZipStore

from inscape.errors import LibraryError
from inscape.lattice import ForceConstants
from inscape.library.index import Entry, Line, read_index, stamp_of
from inscape.library.splits import in_tuning_part
from inscape.structures import Crystal

FORMAT = "inscape-library-2"
FIRST_FORMAT = "inscape-library-1"
"""In the first format a crystal is a folder of about a hundred files; there is neither an index nor `structures`."""

SUFFIX = ".zip"


@dataclass(frozen=True)
class Failure:
    """Why a crystal is not in a library, and what would make it worth another trial.

    Parameters
    ----------
    reason
        For people.
    n_atoms
        Atoms of the primitive cell, if their number alone was the reason.
    same_as
        Id of the crystal in the library that has the same structure, if that was the reason.
    source
        State of the calculation's files; None where it was not noted.
    """

    reason: str
    n_atoms: int | None = None
    same_as: str | None = None
    source: str | None = None


class Library:
    """Spectra, structures and force constants of many crystals, in a folder.

    ``crystals/<two digits>/<id>.zip`` is a Zarr group with the arrays of `inscape.library.render` (and those of
    `inscape.lattice.ForceConstants.arrays`) and the attributes of `Entry`; ``failures/<id>.json`` says why a crystal is
    missing; ``structures/<two digits>/<digest>`` names the crystal that has a structure; ``index.jsonl`` repeats the
    attributes of all. A crystal's file appears under its name only when it is complete, so that a library can be read
    while it is built.

    Parameters
    ----------
    path
        Folder of the library.

    Raises
    ------
    LibraryError
        No such folder, or not a library.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise LibraryError(f"{path}: no such library; build one with: inscape library build ARCHIVES -o {path}")
        try:
            self.attributes: dict[str, Any] = dict(zarr.open_group(self.path, mode="r").attrs)
        except (FileNotFoundError, ValueError, KeyError) as error:
            raise LibraryError(f"{path}: not a library of spectra ({type(error).__name__})") from error
        if self.attributes.get("format") not in {FORMAT, FIRST_FORMAT}:
            raise LibraryError(
                f"{path}: format is {self.attributes.get('format')!r}, this version reads {FORMAT!r} and "
                f"{FIRST_FORMAT!r}; build it anew"
            )

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """All crystals by id, sorted; looked up once."""
        return {name: line.entry for name, line in sorted(self.lines().items())}

    @property
    def failures(self) -> dict[str, Failure]:
        """Why a crystal is missing, by id, sorted."""
        found = sorted((self.path / "failures").glob("*.json"))
        return {p.stem: Failure(**json.loads(p.read_text(encoding="utf-8"))) for p in found}

    @property
    def duplicates(self) -> list[list[str]]:
        """Ids of the crystals that share a structure, a list for each structure that is there more than once."""
        by_digest = defaultdict(list)
        for entry in self.entries.values():
            by_digest[entry.digest].append(entry.id)
        return [ids for ids in by_digest.values() if len(ids) > 1]

    def __contains__(self, name: str) -> bool:
        return self._place(name) is not None

    def select(
        self,
        split: str | None = None,
        *,
        clean: bool = True,
        max_atoms: int | None = None,
        tuning: bool | None = None,
    ) -> list[str]:
        """Ids of a split, by default the dynamically clean ones; ``tuning`` picks or leaves out the tuning part."""
        return [
            e.id
            for e in self.entries.values()
            if (split is None or e.split == split)
            and (e.clean or not clean)
            and (max_atoms is None or e.n_atoms <= max_atoms)
            and (tuning is None or in_tuning_part(e.formula) == tuning)
        ]

    def arrays(self, name: str, *wanted: str) -> dict[str, NDArray[Any]]:
        """Arrays of a crystal, all of them unless named."""
        with self._group(name) as group:
            try:
                return {key: np.asarray(group[key]) for key in (wanted or sorted(group.array_keys()))}
            except KeyError as error:
                raise LibraryError(f"{name} has no array {error}; it has {', '.join(sorted(group))}") from error

    def crystal(self, name: str) -> Crystal:
        """The primitive cell of a crystal."""
        a = self.arrays(name, "lattice", "positions", "numbers", "masses")
        crystal = Crystal.from_cell(a["lattice"], a["positions"], a["numbers"], masses=a["masses"])
        if crystal.n_atoms == len(a["numbers"]):
            return crystal
        return Crystal.from_cell(a["lattice"], a["positions"], a["numbers"], masses=a["masses"], symprec=1e-5)

    def force_constants(self, name: str) -> ForceConstants:
        """The force constants of a crystal."""
        return ForceConstants.from_arrays(self.arrays(name))

    def stream(
        self, names: Sequence[str], *wanted: str, batch_size: int = 32, random_state: int | Sequence[int] | None = None
    ) -> Iterator[dict[str, dict[str, NDArray[Any]]]]:
        """Arrays of many crystals, batch by batch: memory holds one batch, however many there are.

        Parameters
        ----------
        names
            Ids, as `select` gives them.
        wanted
            Names of arrays, all unless given.
        batch_size
            Crystals in a batch; the last may be smaller.
        random_state
            Seed of the order, such as ``(seed, epoch)``; the order of ``names`` unless given.

        Yields
        ------
        dict
            Arrays by id and name. All batches together hold each crystal once.
        """
        order = np.arange(len(names))
        if random_state is not None:
            order = np.random.default_rng(random_state).permutation(len(names))
        for start in range(0, len(names), batch_size):
            batch = [names[i] for i in order[start : start + batch_size]]
            yield {name: self.arrays(name, *wanted) for name in batch}

    def size(self) -> int:
        """Bytes on disk; files that a running build moves in the meantime are left out."""
        total = 0
        for folder, _, files in os.walk(self.path):
            for name in files:
                with suppress(FileNotFoundError):
                    total += os.stat(os.path.join(folder, name)).st_size
        return total

    def file(self, name: str) -> Path:
        """Where a crystal is, or would be; 256 folders keep each of them short."""
        return self.path / "crystals" / hashlib.sha256(name.encode()).hexdigest()[:2] / f"{name}{SUFFIX}"

    def lines(self) -> dict[str, Line]:
        """What is known of each crystal, by id: from the index, where that is right, or from the crystal itself."""
        known = read_index(self.path / "index.jsonl")
        found = {}
        for name, place in self._places():
            line, stamp = known.get(name), stamp_of(place)
            found[name] = line if line and line.stamp == stamp else Line(stamp, self._entry(name))
        return found

    def line(self, name: str) -> Line | None:
        """What is known of a crystal, from itself; None if it is not there."""
        place = self._place(name)
        return None if place is None else Line(stamp_of(place), self._entry(name))

    def _place(self, name: str) -> Path | None:
        """The file of a crystal, or, in the first format, that which was written last into its folder."""
        return next((p for p in (self.file(name), self.path / "crystals" / name / "zarr.json") if p.exists()), None)

    def _places(self) -> Iterator[tuple[str, Path]]:
        """Id and file, as `_place` gives it, of each crystal."""
        for outer in os.scandir(self.path / "crystals"):
            last = Path(outer.path) / "zarr.json"
            if outer.name.startswith("."):
                continue
            if last.exists():
                yield outer.name, last
                continue
            for inner in os.scandir(outer.path):
                yield inner.name.removesuffix(SUFFIX), Path(inner.path)

    def _entry(self, name: str) -> Entry:
        with self._group(name) as group:
            return Entry.from_attributes(dict(group.attrs))

    @contextmanager
    def _group(self, name: str) -> Iterator[zarr.Group]:
        """The open group of a crystal."""
        place = self._place(name)
        if place is None:
            raise LibraryError(f"{self.path}: holds no crystal {name}")
        store = ZipStore(place, mode="r") if place.suffix == SUFFIX else LocalStore(place.parent)
        try:
            group = zarr.open_group(store, mode="r", zarr_format=3)  # opens the store; `with` closes it
            with store:
                yield group
        except zipfile.BadZipFile as error:
            raise LibraryError(f"{place}: damaged ({error}); remove it and build again") from error
