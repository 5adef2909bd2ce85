"""How well novelty tells foreign crystals: metals, and elements left out of what it is measured against.

    python benchmarks/novelty.py LIBRARY

Needs features of all training crystals, from their structures: minutes. Nothing is trained.

Metals: 30 elements and intermetallics with lattice parameters from the literature against the crystals of `val`.
Elements left out: `inscape.structure_model.novelty.Novelty` is fitted anew to training crystals without an element;
those of `val` with it are then foreign, those without it are not. Printed are areas under the curve of true against
false alarms (AUROC), with the bonus for an element that no training crystal has and without it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols
from ase.spacegroup import crystal
from scipy.stats import rankdata, spearmanr

from inscape.library import Library
from inscape.metrics import wasserstein
from inscape.spectra import native_energy_edges
from inscape.structure_model import shipped_model
from inscape.structure_model.geometry import Geometry, geometry
from inscape.structure_model.network import Atoms as Cells
from inscape.structure_model.network import gather
from inscape.structure_model.novelty import FOREIGN_ELEMENT, THRESHOLD, Novelty
from inscape.structure_model.train import training_ids
from inscape.structures import Crystal, read_structure
from inscape.threads import numpy_alone

BATCH = 32

ANIONS = ("O", "F", "S", "Cl", "Se", "Br", "Te", "I", "N", "H")

FACE_CENTRED = {
    "Al": 4.05, "Ni": 3.52, "Cu": 3.61, "Rh": 3.80, "Pd": 3.89, "Ag": 4.09, "Ir": 3.84, "Pt": 3.92, "Au": 4.08,
    "Pb": 4.95, "Ca": 5.58,
}  # fmt: skip
BODY_CENTRED = {"Li": 3.491, "Na": 4.225, "K": 5.225, "V": 3.03, "Fe": 2.87, "Nb": 3.30, "Mo": 3.15, "W": 3.16}
CLOSE_PACKED = {"Mg": (3.21, 5.21), "Ti": (2.95, 4.68), "Zn": (2.66, 4.95), "Zr": (3.23, 5.15)}
"""Elements: C. Kittel, Introduction to Solid State Physics, 8th ed. (2005), chapter 1, table 3. Å."""

CAESIUM_CHLORIDE = {("Cu", "Zn"): 2.94, ("Al", "Ni"): 2.88, ("Be", "Cu"): 2.70, ("Ag", "Mg"): 3.28}
"""Kittel, chapter 1, table in the section on the structure of caesium chloride. Å."""

GOLD_COPPER = {("Au", "Cu"): 3.75, ("Al", "Ni"): 3.57, ("Fe", "Pt"): 3.87}
"""Cu₃Au and its like, the element of the corner first: W. B. Pearson, A Handbook of Lattice Spacings and Structures of
Metals and Alloys (1958). Å."""


def metals() -> list[Atoms]:
    """The thirty."""
    cubic = [
        *(([symbol], [(0, 0, 0)], 225, a) for symbol, a in FACE_CENTRED.items()),
        *(([symbol], [(0, 0, 0)], 229, a) for symbol, a in BODY_CENTRED.items()),
        *((pair, [(0, 0, 0), (0.5, 0.5, 0.5)], 221, a) for pair, a in CAESIUM_CHLORIDE.items()),
        *((pair, [(0, 0, 0), (0, 0.5, 0.5)], 221, a) for pair, a in GOLD_COPPER.items()),
    ]
    found = [crystal(list(s), basis, spacegroup=g, cellpar=[a, a, a, 90, 90, 90]) for s, basis, g, a in cubic]
    found += [
        crystal([symbol], [(1 / 3, 2 / 3, 0.25)], spacegroup=194, cellpar=[a, a, c, 90, 90, 120])
        for symbol, (a, c) in CLOSE_PACKED.items()
    ]
    return found


class Seen:
    """Features of crystals, as novelty takes them."""

    def __init__(self, crystals: Sequence[Crystal]) -> None:
        model = shipped_model()
        self.numbers = [set(map(int, c.numbers)) for c in crystals]
        self.features, self.geometries = [], []
        for start in range(0, len(crystals), BATCH):
            batch = crystals[start : start + BATCH]
            self.features += [found.invariants for found in model.features(batch)]
            self.geometries += [bare(geometry(c)) for c in batch]

    def atoms(self, use: Sequence[int] | None = None) -> Cells:
        """Those of some crystals, by their places; of all unless given."""
        places = range(len(self.numbers)) if use is None else use
        return gather([self.features[i] for i in places], [self.geometries[i] for i in places])

    def without(self, element: int) -> list[int]:
        """Places of the crystals without an element."""
        return [i for i, numbers in enumerate(self.numbers) if element not in numbers]


def bare(g: Geometry) -> Geometry:
    """Without pairs of atoms, which novelty does not look at."""
    return replace(g, pairs=g.pairs[:, :0], vectors=g.vectors[:0])


def auroc(foreign: np.ndarray, known: np.ndarray) -> float:
    """The chance that a foreign crystal has the higher novelty."""
    ranks = rankdata(np.concatenate([foreign, known]))[: len(foreign)]
    return float((ranks.mean() - (len(foreign) + 1) / 2) / len(known))


def left_out(element: int, learn: Seen, tune: Seen, val: Seen) -> tuple[int, float, float, float]:
    """Crystals of val with the element, AUROC with and without the bonus, and their share above the threshold."""
    novelty = Novelty.fit(learn.atoms(learn.without(element)), tune.atoms(tune.without(element)))
    score = novelty(val.atoms()).numpy()
    has = np.array([element in numbers for numbers in val.numbers])
    return (
        int(has.sum()),
        auroc(score[has], score[~has]),
        auroc(score[has] - FOREIGN_ELEMENT, score[~has]),
        float(np.mean(score[has] - FOREIGN_ELEMENT > THRESHOLD)),
    )


@numpy_alone()
@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--max-atoms", type=int, default=40)
    options = parser.parse_args()
    torch.set_num_threads(1)
    library, model = Library(options.library), shipped_model()
    ids = [*training_ids(library, options.max_atoms), library.select("val", max_atoms=options.max_atoms)]
    learn, tune, val = (Seen([library.crystal(name) for name in names]) for names in ids)
    foreign = Seen([read_structure(atoms) for atoms in metals()])
    scores = {name: model.novelty(seen.atoms()).numpy() for name, seen in (("metals", foreign), ("val", val))}
    print(f"{len(ids[0])} training crystals, {len(ids[2])} of val, {len(foreign.numbers)} metals")
    print(f"metals against val: AUROC {auroc(scores['metals'], scores['val']):.3f}, of distance alone "
          f"{auroc(scores['metals'] - 1, scores['val']):.3f}; above the threshold: "
          f"{np.mean(scores['metals'] > THRESHOLD):.0%} of the metals, {np.mean(scores['val'] > THRESHOLD):.1%} of val")
    for split, names, seen in (("tune", ids[1], tune), ("val", ids[2], val)):
        w1 = [w1_of(library, name) for name in names]
        rho = spearmanr(model.novelty(seen.atoms()).numpy(), w1).statistic
        print(f"Spearman of novelty and W1 on {split}: {rho:.2f}")
    print("\n| left out | crystals of val with it | AUROC | without the bonus | above the threshold without it |")
    print("|---|---|---|---|---|")
    counts = {z: sum(z in numbers for numbers in val.numbers) for z in range(1, 95)}
    others = sorted((z for z in counts if counts[z] >= 5), key=lambda z: -counts[z])
    chosen = [atomic_numbers[s] for s in ANIONS] + [z for z in others if chemical_symbols[z] not in ANIONS]
    for z in chosen:
        n, with_bonus, without, above = left_out(z, learn, tune, val)
        print(f"| {chemical_symbols[z]} | {n} | {with_bonus:.3f} | {without:.3f} | {above:.0%} |", flush=True)


def w1_of(library: Library, name: str) -> float:
    """Error of the predicted density of states of a crystal of the library, meV."""
    (structure,) = shipped_model()([library.crystal(name)], ())
    true = library.arrays(name, "partial_dos")["partial_dos"].astype(float).sum(axis=0)
    return float(wasserstein(structure.partial_dos.sum(axis=0), true, native_energy_edges()))


if __name__ == "__main__":
    main()
