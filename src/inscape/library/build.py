"""Build a library: calculations in, spectra out, on many processes, interrupted and resumed at will."""

from __future__ import annotations

import hashlib
import re
import socket
import time
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from inscape.errors import LibraryError
from inscape.lattice import read_force_constants
from inscape.library.cluster import Cluster
from inscape.library.index import Line
from inscape.library.interrupts import interrupts_wait
from inscape.library.render import RenderSettings, render
from inscape.library.store import Failure
from inscape.library.writing import LibraryWriter

KILLED = (
    "killed its worker each time, the last time alone on the cluster, probably for memory: "
    "give workers more of it and build with --retry-failed"
)
FORCE_FILES = ("FORCE_SETS", "FORCE_CONSTANTS", "phonopy_params.yaml")


@dataclass(frozen=True)
class BuildReport:
    """What a build did: ids rendered and failed now, and how many were there before."""

    rendered: list[str]
    failed: dict[str, str]
    already: int


@dataclass(frozen=True)
class Calculation:
    """One of those to be rendered; ``source`` tells whether its files have changed."""

    name: str
    path: Path
    split: str
    source: str


def identifier(path: Path) -> str:
    """Id of an archive or folder: ``mp-149`` for the database's ``materials-id-149-si-fd-3m-227``, else its stem."""
    published = re.match(r"materials-id-(\d+)-", path.name)
    return f"mp-{published[1]}" if published else path.name.split(".")[0]


def find_calculations(paths: Iterable[str | Path]) -> list[Path]:
    """Archives, phonopy folders and yaml files among the paths; a folder of archives stands for all of them."""
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.exists():
            raise LibraryError(f"{path}: no such file or folder")
        if path.is_dir() and not any((path / name).exists() for name in FORCE_FILES):
            inside = sorted(p for p in path.iterdir() if p.name.endswith((".tar.lzma", ".tar.xz")) or p.is_dir())
            if not inside:
                raise LibraryError(f"{path}: holds neither archives (*.tar.lzma) nor phonopy calculations")
            found += inside
        else:
            found.append(path)
    return found


def state_of(path: Path) -> str:
    """Sizes and times of the files of a calculation, in short; it changes when they do."""
    files = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
    states = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    return hashlib.sha256(repr(states).encode()).hexdigest()[:16]


def build_library(
    paths: Iterable[str | Path],
    output: str | Path,
    *,
    cluster: Cluster | None = None,
    splits: dict[str, str] | None = None,
    only: set[str] | None = None,
    max_atoms: int = 40,
    retry_failed: bool = False,
    settings: RenderSettings | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> BuildReport:
    """Render the spectra of many calculations into a library; run it again and it goes on where it stopped.

    Crystals come in an order that has nothing to do with their names, so that a part of a library is a fair sample.
    Each structure is rendered once: a further calculation of one that is in the library is listed among the failures.

    Parameters
    ----------
    paths
        Archives, phonopy folders, yaml files, or folders of them.
    output
        Folder of the library, new or one begun with the same settings.
    cluster
        Where to work; two processes of this machine unless given.
    splits
        Split of each id (`read_splits`); ids it does not name get the split ``none``.
    only
        Splits to render, all unless given.
    max_atoms
        Crystals with more atoms in the primitive cell are left out.
    retry_failed
        Whether to try again all that failed; otherwise only those whose files have changed since.
    progress
        Called with (done, total, id) before the first and after each crystal.

    Raises
    ------
    LibraryError
        Bad paths, two calculations of one id, a folder that is not a library, a library that another build is writing
        to, a cluster that is not there or breaks down.
    """
    settings = settings or RenderSettings()
    splits = splits or {}
    wanted = [
        Calculation(name, path.absolute(), split, state_of(path))
        for name, path in _by_identifier(find_calculations(paths)).items()
        if (split := splits.get(name, "none")) and (only is None or split in only)
    ]
    library = LibraryWriter.create(output, settings)
    with library.building() as there:
        todo = _unfinished(wanted, there, {} if retry_failed else library.failures, max_atoms)
        report = BuildReport([], {}, len(wanted) - len(todo))
        if todo:
            with interrupts_wait():  # Dask takes half a second to load
                from inscape.library.dispatch import connect, run
            work = Work(library.path.absolute(), max_atoms, settings)
            say = progress or (lambda done, total, name: None)
            say(0, len(todo), "waiting for workers")
            with connect(cluster or Cluster()) as client:
                for count, (calculation, outcome) in enumerate(run(client, work, todo), start=1):
                    _note(library, calculation, outcome, report)
                    say(count, len(todo), calculation.name)
    return report


def _by_identifier(paths: list[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        other = found.setdefault(name := identifier(path), path)
        if other.resolve() != path.resolve():
            raise LibraryError(f"{other} and {path} would both be {name} in the library; rename one or leave it out")
    return found


def _unfinished(
    wanted: list[Calculation], there: Container[str], failures: dict[str, Failure], max_atoms: int
) -> list[Calculation]:
    """What is left to do, in an order that has nothing to do with names."""

    def stands(failure: Failure, calculation: Calculation) -> bool:
        if failure.source not in {None, calculation.source}:
            return False
        if failure.same_as is not None:
            return failure.same_as in there
        return failure.n_atoms is None or failure.n_atoms > max_atoms

    todo = [c for c in wanted if c.name not in there and not (c.name in failures and stands(failures[c.name], c))]
    return sorted(todo, key=lambda c: hashlib.sha256(c.name.encode()).digest())


def _note(
    library: LibraryWriter, calculation: Calculation, outcome: Line | Failure | None, report: BuildReport
) -> None:
    """Put down what came of a calculation."""
    if isinstance(outcome, Line):
        library.add_to_index(outcome)
        report.rendered.append(calculation.name)
        return
    if outcome is None:
        outcome = Failure(KILLED, source=calculation.source)
        library.write_failure(calculation.name, outcome)
    report.failed[calculation.name] = outcome.reason


@dataclass(frozen=True)
class Work:
    """What a worker does with a calculation."""

    output: Path
    max_atoms: int
    settings: RenderSettings

    def __call__(self, calculation: Calculation) -> Line | Failure:
        """Render and store it; what the index should say of it, or why it failed."""
        library, name = LibraryWriter(self.output), calculation.name
        if (line := library.line(name)) is not None:  # a worker died after it wrote this, before it could say so
            return line
        if not calculation.path.exists():
            raise LibraryError(f"{socket.gethostname()} does not see {calculation.path}")
        start = time.perf_counter()
        try:
            found = self._render(library, calculation)
        except Exception as error:  # whatever it is, it must not end the build of all the others
            found = Failure(f"{type(error).__name__}: {error}")
        if isinstance(found, Failure):
            failure = replace(found, source=calculation.source)
            library.write_failure(name, failure)
            return failure
        arrays, attributes = found
        attributes |= {"id": name, "split": calculation.split, "seconds": round(time.perf_counter() - start, 3)}
        return library.write(name, arrays, attributes)

    def _render(
        self, library: LibraryWriter, calculation: Calculation
    ) -> Failure | tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """All arrays of a crystal and what describes it, or why it is left out."""
        force_constants = read_force_constants(calculation.path)
        crystal = force_constants.crystal
        if crystal.n_atoms > self.max_atoms:
            reason = f"{crystal.n_atoms} atoms in the primitive cell, more than the {self.max_atoms} asked for"
            return Failure(reason, n_atoms=crystal.n_atoms)
        if (twin := library.twin(calculation.name, crystal.digest)) is not None:
            return Failure(f"the structure of {twin}, which is in the library", same_as=twin)
        arrays, attributes = render(force_constants, self.settings)
        arrays |= force_constants.arrays()
        arrays |= {k: getattr(crystal, k) for k in ("lattice", "positions", "numbers", "masses")}
        return arrays, attributes
