"""Where the time of rendering a crystal goes, and how it grows with the number of atoms.

    python benchmarks/rendering.py ARCHIVE... [--number N] [--seed S] [--max-atoms N] [--plot FILE]

Renders crystals as a worker of `inscape library build` does, into a library that is thrown away: one process, one
thread. Prints a table of stages, seconds, bytes and memory, and draws seconds against atoms of the primitive cell.
Seconds are of processor time, which other load of the machine changes little; the wall clock stands beside them.
"""

from __future__ import annotations

import argparse
import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), "1")

import random
import resource
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
import spglib
from matplotlib import pyplot
from matplotlib.ticker import FixedLocator, NullLocator

import inscape.lattice.modes as modes
import inscape.library.build as build
import inscape.library.writing as writing
import inscape.scattering.wave_vectors as wave_vectors
from inscape.lattice import ForceConstants
from inscape.library import LibraryWriter, RenderSettings
from inscape.plots import COLOURS

render = sys.modules["inscape.library.render"]  # the package's attribute of this name is the function

matplotlib.use("Agg")

READING, SYMMETRY, MATRICES = "reading", "symmetry", "dynamical matrices"
DIAGONAL, FACTORS, DENSITIES, WRITING = "diagonalisation", "structure factors", "densities of states", "writing"
STAGES = [  # where a function is looked up, its name, its stage; the time of one inside another is the inner one's
    (build, "read_force_constants", READING),
    (ForceConstants, "matrices", MATRICES),
    (np.linalg, "eigh", DIAGONAL),
    (modes, "operations", SYMMETRY),
    (spglib, "get_ir_reciprocal_mesh", SYMMETRY),
    (wave_vectors, "share_by_symmetry", SYMMETRY),
    (render, "density_of_states", DENSITIES),
    (render, "displacements", DENSITIES),
    (render, "Shells", FACTORS),
    (render, "powder_map", FACTORS),
    (render, "powder_points", FACTORS),
    (render, "plane_map", FACTORS),
    (writing.LibraryWriter, "write", WRITING),
]
OTHER = "everything else"


class Rendered(NamedTuple):
    """What one crystal took: seconds by stage."""

    n_atoms: int
    has_born: bool
    stages: dict[str, float]
    n_bytes: int

    @property
    def seconds(self) -> float:
        """All of it."""
        return sum(self.stages.values())


class Clock:
    """Seconds spent in each stage, not counting stages inside it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.running = [OTHER]
        self.since = time.process_time()

    @contextmanager
    def stage(self, name: str):
        """Count for another stage meanwhile."""
        self.switch()
        self.running.append(name)
        try:
            yield
        finally:
            self.switch()
            self.running.pop()

    def switch(self) -> None:
        """Add what has passed to the stage that is running."""
        now = time.process_time()
        self.seconds[self.running[-1]] += now - self.since
        self.since = now

    def watch(self, place: object, name: str, stage: str) -> None:
        """Count a function's time for a stage from now on."""
        function = getattr(place, name)

        def watched(*arguments, **options):
            with self.stage(stage):
                return function(*arguments, **options)

        setattr(place, name, watched)


def measure(paths: list[Path], number: int, max_atoms: int) -> list[Rendered]:
    """Render ``number`` crystals of at most ``max_atoms`` atoms; one more before, for what is loaded at first use."""
    clock = Clock()
    for watched in STAGES:
        clock.watch(*watched)
    found: list[Rendered] = []
    with tempfile.TemporaryDirectory() as folder:
        library = LibraryWriter.create(Path(folder) / "library.zarr", RenderSettings())
        work = build.Work(library.path, max_atoms, RenderSettings())
        for path in [paths[0], *paths]:
            calculation = build.Calculation(f"{path.name}-{len(found)}", path, "none", "")
            clock.seconds.clear()
            clock.since = time.process_time()
            outcome = work(calculation)
            clock.switch()
            if isinstance(outcome, writing.Line):
                entry = outcome.entry
                found.append(Rendered(entry.n_atoms, entry.has_born, dict(clock.seconds), outcome.stamp[0]))
                library.file(entry.id).unlink()  # or its structure would not be rendered twice
            if len(found) > number:
                break
    return found[1:]


def table(rendered: list[Rendered]) -> str:
    """Stages with their shares, largest first."""
    total = sum(r.seconds for r in rendered)
    names = sorted(
        {name for r in rendered for name in r.stages}, key=lambda n: -sum(r.stages.get(n, 0) for r in rendered)
    )
    lines = ["| stage | share of all time | median, s | mean, s |", "|---|---|---|---|"]
    for name in names:
        seconds = np.array([r.stages.get(name, 0.0) for r in rendered])
        lines.append(f"| {name} | {seconds.sum() / total:.1%} | {np.median(seconds):.3f} | {seconds.mean():.3f} |")
    seconds = np.array([r.seconds for r in rendered])
    lines.append(f"| all | 100 % | {np.median(seconds):.3f} | {seconds.mean():.3f} |")
    return "\n".join(lines)


def by_size(rendered: list[Rendered]) -> list[list[Rendered]]:
    """Crystals in groups of similar numbers of atoms."""
    groups = [
        [r for r in rendered if low < r.n_atoms <= high] for low, high in pairwise((0, 4, 8, 14, 20, 28, 40, np.inf))
    ]
    return [group for group in groups if group]


def draw(rendered: list[Rendered], path: Path) -> None:
    """Seconds against atoms, with medians of groups, and what each group spends them on."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for born, face, label in ((True, "0.35", "with Born charges"), (False, "none", "without")):
        some = [r for r in rendered if r.has_born == born]
        atoms, seconds = [r.n_atoms for r in some], [r.seconds for r in some]
        left.plot(atoms, seconds, "o", ms=4.5, mfc=face, mec="0.35", label=label)
    groups = by_size(rendered)
    atoms, seconds = ([np.median([getattr(r, n) for r in g]) for g in groups] for n in ("n_atoms", "seconds"))
    left.plot(atoms, seconds, "-", color=COLOURS[5], lw=2, label="medians of the groups at right")
    left.set(xscale="log", yscale="log", xlabel="atoms in the primitive cell", ylabel="seconds of one core")
    for axis, ticks in ((left.xaxis, (1, 2, 5, 10, 20, 40, 100)), (left.yaxis, (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10))):
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter("{x:g}")
    left.set_xlim(0.9 * min(r.n_atoms for r in rendered), 1.1 * max(r.n_atoms for r in rendered))
    left.set_ylim(0.8 * min(r.seconds for r in rendered), 1.25 * max(r.seconds for r in rendered))
    left.legend(frameon=False, fontsize="small")

    bottom = np.zeros(len(groups))
    for name, colour in zip((*dict.fromkeys(stage for *_, stage in STAGES), OTHER), COLOURS, strict=True):
        share = np.array([100 * sum(r.stages.get(name, 0) for r in g) / sum(r.seconds for r in g) for g in groups])
        right.bar(range(len(groups)), share, bottom=bottom, color=colour, edgecolor="white", lw=0.5, label=name)
        bottom += share
    ends = [sorted({min(r.n_atoms for r in g), max(r.n_atoms for r in g)}) for g in groups]
    labels = [f"{'–'.join(map(str, end))}\n({len(g)})" for end, g in zip(ends, groups, strict=True)]
    right.set_xticks(range(len(groups)), labels, fontsize="small")
    right.set(xlabel="atoms in the primitive cell (crystals)", ylabel="share of the time, %", ylim=(0, 100))
    right.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5), reverse=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", nargs="+", type=Path)
    parser.add_argument("--number", type=int, default=200, help="crystals to render")
    parser.add_argument("--seed", type=int, default=0, help="of the choice among the archives")
    parser.add_argument("--max-atoms", type=int, default=40)
    parser.add_argument(
        "--plot", type=Path, default=Path(__file__).parents[1] / "docs" / "images" / "rendering-cost.png"
    )
    options = parser.parse_args()
    random.Random(options.seed).shuffle(options.archives)
    start = time.perf_counter()
    rendered = measure(options.archives, options.number, options.max_atoms)
    wall = time.perf_counter() - start
    seconds, n_bytes = (np.array([getattr(r, name) for r in rendered]) for name in ("seconds", "n_bytes"))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; one process of one thread")
    print(f"{len(rendered)} crystals of {min(r.n_atoms for r in rendered)} to {max(r.n_atoms for r in rendered)} atoms")
    print(f"seconds of a core: median {np.median(seconds):.2f}, mean {seconds.mean():.2f}", end=", ")
    print(
        f"90 % within {np.quantile(seconds, 0.9):.2f}; by the wall clock {wall / (len(rendered) + 1):.2f} in the mean"
    )
    for group in by_size(rendered):
        ends = min(r.n_atoms for r in group), max(r.n_atoms for r in group)
        print(
            f"{ends[0]} to {ends[1]} atoms: {len(group)} crystals, median {np.median([r.seconds for r in group]):.2f} s"
        )
    print(f"bytes: median {np.median(n_bytes):,.0f}, mean {n_bytes.mean():,.0f}; memory at most {memory:.0f} MiB")
    print(f"\n{table(rendered)}")
    draw(rendered, options.plot)


if __name__ == "__main__":
    main()
