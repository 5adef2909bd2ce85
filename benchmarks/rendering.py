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

import numpy as np
import spglib

import inscape.lattice.modes as modes
import inscape.library.build as build
import inscape.library.writing as writing
import inscape.scattering.plane as plane
from inscape.library import LibraryWriter, RenderSettings

render = sys.modules["inscape.library.render"]  # the package's attribute of this name is the function

READING, SYMMETRY, MATRICES = "reading", "symmetry", "dynamical matrices"
DIAGONAL, FACTORS, DENSITIES, WRITING = "diagonalisation", "structure factors", "densities of states", "writing"
STAGES = [  # where a function is looked up, its name, its stage; the time of one inside another is the inner one's
    (build, "read_force_constants", READING),
    (modes, "dynamical_matrices", MATRICES),
    (np.linalg, "eigh", DIAGONAL),
    (modes, "_operations", SYMMETRY),
    (spglib, "get_ir_reciprocal_mesh", SYMMETRY),
    (plane, "share_by_symmetry", SYMMETRY),
    (render, "density_of_states", DENSITIES),
    (render, "displacements", DENSITIES),
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


def power(rendered: list[Rendered]) -> tuple[float, float]:
    """Exponent and seconds at 10 atoms of a power of the number of atoms, fitted to logarithms."""
    slope, offset = np.polyfit(np.log([r.n_atoms / 10 for r in rendered]), np.log([r.seconds for r in rendered]), 1)
    return float(slope), float(np.exp(offset))


def draw(rendered: list[Rendered], path: Path) -> None:
    """Seconds against atoms, with and without Born charges, and stages against atoms."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import ScalarFormatter

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    for born, marker, label in ((True, "o", "with Born charges"), (False, "s", "without")):
        some = [r for r in rendered if r.has_born == born]
        face = f"C{1 - born}" if born else "none"
        left.plot(
            [r.n_atoms for r in some],
            [r.seconds for r in some],
            marker,
            ms=5,
            mfc=face,
            mec=f"C{1 - born}",
            label=label,
        )
    slope, at_ten = power(rendered)
    atoms = np.geomspace(min(r.n_atoms for r in rendered), max(r.n_atoms for r in rendered), 50)
    left.plot(atoms, at_ten * (atoms / 10) ** slope, "k-", lw=1, label=f"∝ atoms$^{{{slope:.2f}}}$")
    left.set(xscale="log", yscale="log", xlabel="atoms in the primitive cell", ylabel="seconds on one core")
    left.legend(frameon=False)

    edges = [0, 2, 4, 8, 12, 20, 30, 40, np.inf]
    groups = [[r for r in rendered if low < r.n_atoms <= high] for low, high in pairwise(edges)]
    groups = [group for group in groups if group]
    names = sorted({n for r in rendered for n in r.stages}, key=lambda n: -sum(r.stages.get(n, 0) for r in rendered))
    bottom = np.zeros(len(groups))
    for name in names:
        share = np.array([sum(r.stages.get(name, 0) for r in g) / sum(r.seconds for r in g) for g in groups])
        right.bar(range(len(groups)), 100 * share, bottom=100 * bottom, width=0.8, label=name)
        bottom += share
    ranges = [f"{min(r.n_atoms for r in g)}–{max(r.n_atoms for r in g)}" for g in groups]
    labels = [
        f"{r if r.split('–')[0] != r.split('–')[1] else r.split('–')[0]}\n({len(g)})"
        for r, g in zip(ranges, groups, strict=True)
    ]
    right.set_xticks(range(len(groups)), labels)
    right.set(xlabel="atoms in the primitive cell (crystals)", ylabel="share of the time, %", ylim=(0, 100))
    right.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), reverse=True)
    for axis in (left.xaxis, left.yaxis):
        axis.set_major_formatter(ScalarFormatter())
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
    slope, at_ten = power(rendered)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; one process of one thread")
    print(f"{len(rendered)} crystals of {min(r.n_atoms for r in rendered)} to {max(r.n_atoms for r in rendered)} atoms")
    print(f"seconds of a core: median {np.median(seconds):.2f}, mean {seconds.mean():.2f}", end=", ")
    print(
        f"90 % within {np.quantile(seconds, 0.9):.2f}; by the wall clock {wall / (len(rendered) + 1):.2f} in the mean"
    )
    print(f"about {at_ten:.2f} s at 10 atoms, growing as atoms^{slope:.2f}")
    print(f"bytes: median {np.median(n_bytes):,.0f}, mean {n_bytes.mean():,.0f}; memory at most {memory:.0f} MiB")
    print(f"\n{table(rendered)}")
    draw(rendered, options.plot)


if __name__ == "__main__":
    main()
