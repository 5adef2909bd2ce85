"""Build a library: archives in, spectra out, in parallel, interrupted and resumed at will."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import re
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inscape.errors import InscapeError, LibraryError
from inscape.lattice import read_force_constants
from inscape.library.render import RenderSettings, render
from inscape.library.store import Library

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
FORCE_FILES = ("FORCE_SETS", "FORCE_CONSTANTS", "phonopy_params.yaml")


@dataclass(frozen=True)
class BuildReport:
    """What a build did: ids rendered and failed now, and how many were there before."""

    rendered: list[str]
    failed: dict[str, str]
    already: int


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


def build_library(
    paths: Iterable[str | Path],
    output: str | Path,
    *,
    workers: int = 2,
    splits: dict[str, str] | None = None,
    only: set[str] | None = None,
    max_atoms: int = 40,
    settings: RenderSettings | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> BuildReport:
    """Render the spectra of many calculations into a library; run it again and it goes on where it stopped.

    Crystals come in an order that has nothing to do with their names, so that a part of a library is a fair sample.

    Parameters
    ----------
    paths
        Archives, phonopy folders, yaml files, or folders of them.
    output
        Folder of the library, new or one begun with the same settings.
    workers
        Processes, one thread each.
    splits
        Split of each id (`read_splits`); ids it does not name get the split ``none``.
    only
        Splits to render, all unless given.
    max_atoms
        Crystals with more atoms in the primitive cell are left out.
    progress
        Called with (done, total, id) after each crystal.

    Raises
    ------
    LibraryError
        Bad paths, two calculations of one id, a folder that is not a library, or a worker killed by the system.
    """
    library = Library.create(output, settings or RenderSettings())
    splits = splits or {}
    calculations = _by_identifier(find_calculations(paths))
    wanted = {n: p for n, p in calculations.items() if only is None or splits.get(n, "none") in only}
    done = library.done(max_atoms)
    todo = [(n, p, splits.get(n, "none")) for n, p in wanted.items() if n not in done]
    todo.sort(key=lambda item: hashlib.sha256(item[0].encode()).digest())
    rendered: list[str] = []
    failed: dict[str, str] = {}
    task = _Task(Path(output), max_atoms, settings or RenderSettings())
    for count, (name, outcome) in enumerate(_run(task, todo, workers), start=1):
        if outcome is None:
            rendered.append(name)
        else:
            failed[name] = outcome
        if progress is not None:
            progress(count, len(todo), name)
    return BuildReport(rendered, failed, len(wanted) - len(todo))


def _by_identifier(paths: list[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        other = found.setdefault(name := identifier(path), path)
        if other.resolve() != path.resolve():
            raise LibraryError(f"{other} and {path} would both be {name} in the library; rename one or leave it out")
    return found


@dataclass(frozen=True)
class _Task:
    """What each worker does with a calculation."""

    output: Path
    max_atoms: int
    settings: RenderSettings

    def __call__(self, name: str, path: Path, split: str) -> str | None:
        """Render and store; None, or the reason why not."""
        library = Library(self.output)
        start = time.perf_counter()
        try:
            force_constants = read_force_constants(path)
            if (n_atoms := force_constants.crystal.n_atoms) > self.max_atoms:
                reason = f"{n_atoms} atoms in the primitive cell, more than the {self.max_atoms} asked for"
                library.write_failure(name, reason, n_atoms=n_atoms)
                return reason
            arrays, attributes = render(force_constants, self.settings)
        except (InscapeError, ArithmeticError, ValueError, RuntimeError, LookupError, MemoryError) as error:
            reason = f"{type(error).__name__}: {error}"
            library.write_failure(name, reason)
            return reason
        crystal = force_constants.crystal
        arrays |= force_constants.arrays()
        arrays |= {k: getattr(crystal, k) for k in ("lattice", "positions", "numbers", "masses")}
        attributes |= {"id": name, "split": split, "seconds": round(time.perf_counter() - start, 3)}
        library.write(name, arrays, attributes)
        return None


def _run(task: _Task, todo: list[tuple[str, Path, str]], workers: int) -> Iterator[tuple[str, str | None]]:
    """Outcome of each calculation as it comes; few are queued at a time, so that an interrupt is quick."""
    if not todo:
        return
    with _one_thread_each():
        pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_ignore_interrupt)
        waiting: dict[Future[str | None], str] = {}
        queue = iter(todo)
        try:
            while True:
                while len(waiting) < 2 * workers and (item := next(queue, None)) is not None:
                    waiting[pool.submit(task, *item)] = item[0]
                if not waiting:
                    break
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    yield waiting.pop(future), future.result()
        except BrokenProcessPool as error:
            raise LibraryError(
                "a worker process was killed, probably for memory; what is done is kept: "
                "run the same command again, with fewer --workers"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started inside use one thread each, so that workers do not crowd one another."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _ignore_interrupt() -> None:
    """Ctrl-C is for the parent; a worker finishes the crystal it is at."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
