"""What a prediction costs against the atoms of the cell, up to 200: quartz, repeated, every atom moved a little.

    python benchmarks/cost_of_atoms.py [--most-constants N] [--plot FILE]

Moved at random by 0.02 Å, so that no symmetry is left and no smaller cell is found: the worst case. One process; models
are loaded before; the best of three runs of up to 40 atoms, one run of more.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from ase.io import read
from matplotlib.figure import Figure

import inscape
from inscape.plots import write_figure

REPEATS = ((1, 1, 1), (2, 1, 1), (2, 2, 1), (2, 2, 2), (3, 2, 2), (4, 2, 2), (3, 3, 2), (11, 2, 1))
ROADS = {
    "code, density of states": {"road": "code", "kinds": ["dos"]},
    "code, all kinds": {"road": "code"},
    "force constants, all kinds": {"road": "force-constants"},
}


def cells(path: str):
    """Quartz of 9 to 198 atoms."""
    quartz = read(path)
    for repeats in REPEATS:
        atoms = quartz.repeat(repeats)
        atoms.rattle(0.02, seed=0)
        yield atoms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("structure", nargs="?", default="examples/quartz.cif")
    parser.add_argument("--most-constants", type=int, default=110, help="atoms up to which force constants are timed")
    parser.add_argument("--plot")
    options = parser.parse_args()
    for settings in ROADS.values():
        inscape.predict(options.structure, **settings)  # loads
    found: dict[str, list[tuple[int, float]]] = {road: [] for road in ROADS}
    print("| atoms | " + " | ".join(f"{road}, s" for road in ROADS) + " |\n" + "|---" * (1 + len(ROADS)) + "|")
    for atoms in cells(options.structure):
        line = f"| {len(atoms)} |"
        for road, settings in ROADS.items():
            if settings["road"] == "force-constants" and len(atoms) > options.most_constants:
                line += " – |"
                continue
            seconds = min(timed(atoms, settings) for _ in range(3 if len(atoms) <= 40 else 1))
            found[road].append((len(atoms), seconds))
            line += f" {seconds:.3f} |"
        print(line, flush=True)
    if options.plot:
        draw(found, options.plot)


def timed(atoms, settings: dict) -> float:
    started = time.perf_counter()
    inscape.predict(atoms, **settings)
    return time.perf_counter() - started


def draw(found: dict[str, list[tuple[int, float]]], path: str) -> None:
    figure = Figure(figsize=(5.6, 4.0), layout="constrained")
    ax = figure.subplots()
    for road, points in found.items():
        ax.plot(*np.transpose(points), "o-", label=road)
    ticks = [9, 18, 36, 72, 144, 198]
    ax.set(xscale="log", yscale="log", xlabel="atoms in the cell", ylabel="time of one prediction (s)", xticks=ticks)
    ax.set_xticklabels([str(tick) for tick in ticks])
    ax.minorticks_off()
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    write_figure(figure, path)


if __name__ == "__main__":
    main()
