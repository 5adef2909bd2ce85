"""Where predicted densities of states fail: error by what a crystal is, and the ten worst.

    python benchmarks/failures.py LIBRARY [--road code|force-constants] [--split val] [--plot worst.png]

Wasserstein-1 distance (meV) and the same over the true mean energy (%), mean and median of each group; a crystal counts
for each of its elements and anions. The figure shows the twelve worst, true and predicted, smoothed by 1 meV.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from inscape.cells.elements import NOT_METALS
from inscape.evaluation import read_truth, twins_in
from inscape.evaluation.rendered import Foretold
from inscape.library import Entry, Library
from inscape.metrics import SIGMA, STEP, wasserstein
from inscape.plots import write_figure
from inscape.spectra import NATIVE_ENERGY_MAX, centres, native_energy_edges, rebin, smooth, uniform_edges
from inscape.structure_model import shipped_model
from inscape.structure_model.force_constants import shipped_force_constant_model
from inscape.structure_model.train import training_ids
from inscape.threads import numpy_alone

SYSTEMS = {"triclinic": 2, "monoclinic": 15, "orthorhombic": 74, "tetragonal": 142, "trigonal": 167, "hexagonal": 194,
           "cubic": 230}  # fmt: skip
"""The last space group of each crystal system."""

SIZES = (8, 16, 24, 32, 40)
FEWEST = 5
"""Crystals that a group has at least."""


@dataclass(frozen=True, eq=False)
class Found:
    """A crystal, and its true and predicted density of states, area 1."""

    entry: Entry
    numbers: frozenset[int]
    twin: bool
    novelty: float
    disagreement: float
    true: np.ndarray
    predicted: np.ndarray

    @property
    def w1(self) -> float:
        return float(wasserstein(self.predicted, self.true, native_energy_edges()))

    @property
    def means(self) -> tuple[float, float]:
        """Mean energies, predicted and true, meV."""
        edges = native_energy_edges()
        return tuple(float(x * np.diff(edges) @ centres(edges)) for x in (self.predicted, self.true))

    @property
    def tops(self) -> tuple[float, float]:
        """Energies that hold 99.9 % of the modes, predicted and true, meV."""
        edges = native_energy_edges()
        return tuple(
            float(edges[1 + np.searchsorted(np.cumsum(x * np.diff(edges)), 0.999)]) for x in (self.predicted, self.true)
        )


def look_at(library: Library, road: str, split: str, max_atoms: int) -> list[Found]:
    """All crystals of a split."""
    learn, tune = training_ids(library, max_atoms)
    names = tune if split == "tune" else library.select(split, max_atoms=max_atoms)
    twins, width, found = twins_in(library, learn), np.diff(native_energy_edges()), []
    for name in names:
        truth, entry = read_truth(library, name), library.entries[name]
        crystal = truth.crystal
        if road == "code":
            (structure,) = shipped_model()([crystal], ())
        else:
            structure = Foretold.of(truth, shipped_force_constant_model(), shipped_model())
        true, total = truth.partial_dos.sum(axis=0), structure.partial_dos.sum(axis=0)
        found.append(
            Found(
                entry, frozenset(map(int, crystal.numbers)), (entry.formula, entry.space_group_number) in twins,
                structure.novelty, structure.disagreement, true / (true @ width), total / (total @ width),
            )
        )  # fmt: skip
    return found


GROUPINGS: dict[str, Callable[[Found], Iterable[str]]] = {
    "hydrogen": lambda f: ["with hydrogen" if 1 in f.numbers else "without hydrogen"],
    "Born charges": lambda f: ["with Born charges" if f.entry.has_born else "without Born charges"],
    "twins": lambda f: ["with a twin in training" if f.twin else "without a twin"],
    "novelty": lambda f: ["above 1" if f.novelty > 1 else "below 1"],
    "atoms per cell": lambda f: [next(f"up to {n:2d}" for n in SIZES if f.entry.n_atoms <= n)],
    "crystal system": lambda f: [next(s for s, last in SYSTEMS.items() if f.entry.space_group_number <= last)],
    "space group": lambda f: [f.entry.space_group],
    "anion": lambda f: [chemical_symbols[z] for z in f.numbers & NOT_METALS] or ["none"],
    "element": lambda f: [chemical_symbols[z] for z in f.numbers],
}


@numpy_alone()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--road", choices=["code", "force-constants"], default="code")
    parser.add_argument("--split", choices=["val", "tune"], default="val")
    parser.add_argument("--max-atoms", type=int, default=40)
    parser.add_argument("--plot")
    options = parser.parse_args()
    found = look_at(Library(options.library), options.road, options.split, options.max_atoms)
    w1 = np.array([f.w1 for f in found])
    share = 100 * w1 / np.array([f.means[1] for f in found])
    print(f"{len(found)} crystals of {options.split}, W1 {w1.mean():.3f} / {np.median(w1):.3f} meV, "
          f"{share.mean():.1f} / {np.median(share):.1f} % of the mean energy")
    for name, of in GROUPINGS.items():
        groups: dict[str, list[int]] = {}
        for place, one in enumerate(found):
            for label in of(one):
                groups.setdefault(label, []).append(place)
        print(f"\n| {name} | crystals | W1, meV | W1, % of the mean energy |\n|---|---|---|---|")
        for label, places in sorted(groups.items(), key=lambda item: -np.median(w1[item[1]])):
            if len(places) >= FEWEST:
                a, b = w1[places], share[places]
                cells = f"{a.mean():.2f} / {np.median(a):.2f} | {b.mean():.1f} / {np.median(b):.1f}"
                print(f"| {label} | {len(places)} | {cells} |")
    for name, judged in (("novelty", [f.novelty for f in found]), ("disagreement", [f.disagreement for f in found])):
        rho = [spearmanr(judged, x).statistic for x in (w1, share)]
        print(f"\nSpearman of {name} and W1: {rho[0]:.2f}; and W1 over the mean energy: {rho[1]:.2f}")
    worst = [found[i] for i in np.argsort(-w1)[:12]]
    print("\n| crystal | atoms | W1, meV | mean energy: predicted, true | highest: predicted, true | novelty |")
    print("|---|---|---|---|---|---|")
    for f in worst[:10]:
        e = f.entry
        means, tops = (", ".join(f"{x:.0f}" for x in pair) for pair in (f.means, f.tops))
        crystal = f"{e.id} {e.formula} ({e.space_group})"
        print(f"| {crystal} | {e.n_atoms} | {f.w1:.1f} | {means} | {tops} | {f.novelty:.2f} |")
    if options.plot:
        draw(worst, options.plot)


def draw(worst: list[Found], path: str) -> None:
    """True and predicted densities of states."""
    figure = Figure(figsize=(10, 9), dpi=130, layout="constrained")
    edges = uniform_edges(NATIVE_ENERGY_MAX, STEP)
    for f, ax in zip(worst, figure.subplots(4, 3).ravel(), strict=True):
        for values, label, colour in ((f.true, "true", "0.15"), (f.predicted, "predicted", "#D55E00")):
            curve = smooth(rebin(values, native_energy_edges(), edges), SIGMA, STEP)
            ax.plot(centres(edges), curve, label=label, color=colour, linewidth=1)
        ax.set(xlim=(0, 1.05 * max(f.tops)), ylim=(0, None))
        ax.set_title(f"{f.entry.formula} ({f.entry.space_group}), {f.w1:.1f} meV", fontsize="small", loc="left")
    figure.axes[0].legend(frameon=False, fontsize="small")
    figure.supxlabel("Energy (meV)")
    figure.supylabel("Density of states, area 1 (1/meV)")
    write_figure(figure, path)


if __name__ == "__main__":
    main()
