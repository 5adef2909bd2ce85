"""Writing a library: whole crystals only, one build at a time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import zarr
from numpy.typing import NDArray
from zarr.storage import ZipStore

from inscape.errors import LibraryError
from inscape.files import locked, whole_file
from inscape.library.index import Entry, Line, append_to_index, read_index, stamp_of, write_index
from inscape.library.render import REFERENCE_TEMPERATURE, TEMPERATURES, RenderSettings
from inscape.library.store import FIRST_FORMAT, FORMAT, Failure, Library
from inscape.spectra import native_energy_edges, native_q_edges

SMALL = 2000
"""Arrays of at most so many bytes are not compressed: that would take more time than all the rest of writing them."""

BEGUN = {"crystals", "failures", "energy_edges", "q_edges"}
"""What stands in a folder where the start of a library was interrupted."""


class LibraryWriter(Library):
    """A library to write to.

    Any number of processes may add crystals and failures at the same time. What concerns the library as a whole is for
    the one that holds `building`.
    """

    @classmethod
    def create(cls, path: str | Path, settings: RenderSettings) -> LibraryWriter:
        """Open the library at ``path``, or start one; the settings must be those it was started with."""
        path = Path(path)
        if not (path / "zarr.json").exists():
            if path.exists() and not {p.name for p in path.iterdir()} <= BEGUN:
                raise LibraryError(f"{path}: the folder is not empty and not a library; name a new one")
            for name in ("crystals", "failures"):
                (path / name).mkdir(parents=True, exist_ok=True)
            for name, edges in (("energy_edges", native_energy_edges()), ("q_edges", native_q_edges())):
                zarr.create_array(path / name, data=edges, overwrite=True)
            zarr.create_group(  # last and in one step, for it makes the folder a library
                path,
                attributes={
                    "format": FORMAT,
                    "settings": asdict(settings),
                    "temperature_K": REFERENCE_TEMPERATURE,
                    "displacement_temperatures_K": list(TEMPERATURES),
                },
            )
        library = cls(path)
        if library.attributes["settings"] != asdict(settings):
            raise LibraryError(
                f"{path}: was started with {library.attributes['settings']}, now asked for {asdict(settings)}; "
                "give the same settings or another folder"
            )
        return library

    @contextmanager
    def building(self) -> Iterator[set[str]]:
        """What killed builds left half-written is removed, and the index is right; nobody else may build meanwhile.

        Yields
        ------
        set
            Ids of the crystals that are there.

        Raises
        ------
        LibraryError
            Another build has this library open.
        """
        refusal = f"{self.path}: another build is writing to this library; wait until it ends, or stop it"
        with locked(self.path / "build.lock", refusal=refusal):
            self._clear()
            if self.attributes["format"] == FIRST_FORMAT:
                self._upgrade()
            lines = self.lines()
            self._update_index(lines)
            try:
                yield set(lines)
            finally:
                self._clear()

    def write(self, name: str, arrays: dict[str, NDArray[Any]], attributes: dict[str, Any]) -> Line:
        """Add a crystal, or replace it in one step; what the index should say of it."""
        place = self.file(name)
        self._note_structure(name, attributes["digest"])
        with whole_file(place, self._scratch) as beside:
            store = ZipStore(beside, mode="w")
            group = zarr.create_group(store, attributes=attributes)  # opens the store; `with` closes it
            with store:
                for key, value in arrays.items():
                    compressors: Any = "auto" if value.nbytes > SMALL else None
                    group.create_array(key, data=value, chunks=value.shape, compressors=compressors)
        (self.path / "failures" / f"{name}.json").unlink(missing_ok=True)
        return Line(stamp_of(place), Entry.from_attributes(attributes))

    def write_failure(self, name: str, failure: Failure) -> None:
        """Note why a crystal is not there."""
        with whole_file(self.path / "failures" / f"{name}.json", self._scratch) as beside:
            beside.write_text(json.dumps(asdict(failure), ensure_ascii=False), encoding="utf-8")

    def add_to_index(self, line: Line) -> None:
        """Note a crystal in the index; for the process that holds `building`."""
        append_to_index(self.path / "index.jsonl", line)

    def twin(self, name: str, digest: str) -> str | None:
        """Id of another crystal in the library with the structure ``digest``, if there is one."""
        with suppress(FileNotFoundError):
            other = self._structure(digest).read_text(encoding="utf-8")
            if other and other != name and other in self:
                return other
        return None

    @property
    def _scratch(self) -> Path:
        return self.path / "scratch"

    def _structure(self, digest: str) -> Path:
        return self.path / "structures" / digest[:2] / digest

    def _note_structure(self, name: str, digest: str) -> None:
        with whole_file(self._structure(digest), self._scratch) as beside:
            beside.write_text(name, encoding="utf-8")

    def _clear(self) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)
        for old in (self.path / "crystals").glob(".*"):  # where the first format kept what was not complete
            shutil.rmtree(old, ignore_errors=True)

    def _upgrade(self) -> None:
        """Bring a library of the first format to the present one; its crystals stay as they are."""
        for entry in self.entries.values():
            self._note_structure(entry.id, entry.digest)
        zarr.open_group(self.path, mode="r+").attrs["format"] = self.attributes["format"] = FORMAT

    def _update_index(self, lines: dict[str, Line]) -> None:
        index = self.path / "index.jsonl"
        if lines != read_index(index) or not index.exists():
            write_index(index, [lines[name] for name in sorted(lines)], self._scratch)
