"""The library of spectra on disk: one Zarr group a crystal, written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from inscape.errors import LibraryError
from inscape.lattice import ForceConstants
from inscape.library.render import REFERENCE_TEMPERATURE, TEMPERATURES, RenderSettings
from inscape.library.splits import in_tuning_part
from inscape.spectra import native_energy_edges, native_q_edges
from inscape.structures import Crystal

FORMAT = "inscape-library-1"


@dataclass(frozen=True)
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


class Library:
    """Spectra, structures and force constants of many crystals, in a Zarr store.

    ``crystals/<id>`` is a group with the arrays of `inscape.library.render` (and those of
    `inscape.lattice.ForceConstants.arrays`) and the attributes of `Entry`; ``failures/<id>.json`` says why a crystal is
    missing. A crystal's group appears under its name only when it is complete.

    Parameters
    ----------
    path
        Folder of the store.

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
        if self.attributes.get("format") != FORMAT:
            raise LibraryError(
                f"{path}: format is {self.attributes.get('format')!r}, this version reads {FORMAT!r}; build it anew"
            )

    @classmethod
    def create(cls, path: str | Path, settings: RenderSettings) -> Library:
        """Open the library at ``path``, or start one; the settings must be those it was started with."""
        path = Path(path)
        if not (path / "zarr.json").exists():
            if path.exists() and any(path.iterdir()):
                raise LibraryError(f"{path}: the folder is not empty and not a library; name a new one")
            (path / "crystals").mkdir(parents=True)
            (path / "failures").mkdir()
            root = zarr.open_group(path, mode="a")
            root.create_array("energy_edges", data=native_energy_edges())
            root.create_array("q_edges", data=native_q_edges())
            root.attrs.update(
                format=FORMAT,
                settings=asdict(settings),
                temperature_K=REFERENCE_TEMPERATURE,
                displacement_temperatures_K=list(TEMPERATURES),
            )
        library = cls(path)
        if library.attributes["settings"] != asdict(settings):
            raise LibraryError(
                f"{path}: was started with {library.attributes['settings']}, now asked for {asdict(settings)}; "
                "give the same settings or another folder"
            )
        return library

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """All crystals by id, sorted; read once."""
        found = {}
        for folder in sorted((self.path / "crystals").iterdir()):
            if not folder.name.startswith("."):
                found[folder.name] = Entry(**json.loads((folder / "zarr.json").read_text())["attributes"])
        return found

    @property
    def failures(self) -> dict[str, str]:
        """Why a crystal is missing, by id."""
        return {p.stem: json.loads(p.read_text())["reason"] for p in sorted((self.path / "failures").glob("*.json"))}

    def done(self, max_atoms: int) -> set[str]:
        """Ids that need no more work: rendered, failed, or larger than ``max_atoms``."""
        crystals = {p.name for p in (self.path / "crystals").iterdir() if not p.name.startswith(".")}
        failures = {p.stem: json.loads(p.read_text()) for p in (self.path / "failures").glob("*.json")}
        return crystals | {n for n, f in failures.items() if f["n_atoms"] is None or f["n_atoms"] > max_atoms}

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
        path = self.path / "crystals" / name
        if not path.is_dir():
            raise LibraryError(f"{self.path}: holds no crystal {name}")
        group = zarr.open_group(path, mode="r")
        return {key: np.asarray(group[key]) for key in (wanted or sorted(group.array_keys()))}

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

    def stream(self, names: list[str], *wanted: str) -> Iterator[dict[str, NDArray[Any]]]:
        """Arrays of many crystals, one after the other; memory stays flat."""
        for name in names:
            yield self.arrays(name, *wanted)

    def write(self, name: str, arrays: dict[str, NDArray[Any]], attributes: dict[str, Any]) -> None:
        """Add a crystal: written beside its place, then moved there in one step."""
        place = self.path / "crystals" / name
        scratch = place.with_name(f".{name}.{os.getpid()}")
        shutil.rmtree(scratch, ignore_errors=True)
        group = zarr.open_group(scratch, mode="w")
        for key, value in arrays.items():
            group.create_array(key, data=value, chunks=value.shape)
        group.attrs.update(attributes)
        try:
            scratch.rename(place)
        except OSError:  # another process has written the same crystal in the meantime
            shutil.rmtree(scratch, ignore_errors=True)
        (self.path / "failures" / f"{name}.json").unlink(missing_ok=True)

    def write_failure(self, name: str, reason: str, *, n_atoms: int | None = None) -> None:
        """Note why a crystal could not be rendered; with its size, if that alone was the reason."""
        scratch = self.path / "failures" / f".{name}.{os.getpid()}"
        scratch.write_text(json.dumps({"reason": reason, "n_atoms": n_atoms}))
        scratch.rename(self.path / "failures" / f"{name}.json")

    def size(self) -> int:
        """Bytes on disk; files that a running build moves in the meantime are left out."""
        total = 0
        for folder, _, files in os.walk(self.path):
            for name in files:
                with suppress(FileNotFoundError):
                    total += os.stat(os.path.join(folder, name)).st_size
        return total
