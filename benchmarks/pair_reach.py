"""What force constants of pairs can hold: true ones, cut at a distance, and ones fitted to the true dynamics.

    python benchmarks/pair_reach.py LIBRARY --archives FOLDER [--number N] [--reach 6,8]

Tuning crystals of at most 20 atoms. "cut": the DFT force constants of pairs within the reach, dipoles apart, where the
supercell tells them. "fitted": started from these, changed until the dynamical matrices at all wave vectors of the
supercell are nearest to the true ones, errors between modes ν and μ divided by E_ν + E_μ + 1 meV. Both are compared
with the library as predictions are. Interrupted, it prints the table of the crystals that are done.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from typing import Any

import numpy as np
import torch

from inscape.evaluation import Truth, dos_record, plane_record, powder_record, read_truth
from inscape.evaluation.rendered import Rendered
from inscape.lattice import DynamicsTargets, ForceConstants, from_pairs, read_force_constants
from inscape.lattice.force_constants import COULOMB
from inscape.library import Library
from inscape.potentials import neighbours
from inscape.structure_model.dynamics import find_archives
from inscape.structure_model.pairs import Pairs, dynamical_matrices
from inscape.structure_model.train import training_ids
from inscape.threads import numpy_alone
from inscape.units import MODE_ENERGY

FIGURES = ("W1", "R2", "powder", "plane", "plane, 3 %")
FLOOR = 1.0
STEPS = 120
EVERY = 1000
"""More wave vectors than any supercell has."""


@numpy_alone()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--archives", required=True)
    parser.add_argument("--number", type=int, default=24)
    parser.add_argument("--max-atoms", type=int, default=20)
    parser.add_argument("--reach", default="6,8")
    options = parser.parse_args()
    torch.set_num_threads(1)
    library, archives = Library(options.library), find_archives(options.archives)
    names = [n for n in training_ids(library, options.max_atoms)[1] if n in archives]
    names = names[:: max(1, len(names) // options.number)][: options.number]
    found: dict[str, list[list[float]]] = defaultdict(list)
    try:
        for name in names:
            truth, constants = read_truth(library, name), read_force_constants(archives[name])
            rows = {
                f"{words}, {reach:g} Å": figures(truth, made)
                for reach in map(float, options.reach.split(","))
                for words, made in forms(constants, reach).items()
            }
            for row, record in rows.items():
                found[row].append(record)
            print(name, truth.crystal.formula, *(f"{row} {record[-1]:.2f}" for row, record in rows.items()), flush=True)
    except KeyboardInterrupt:
        pass
    n = min(map(len, found.values()), default=0)
    print(f"\n{n} crystals, mean / median\n\n| | " + " | ".join(FIGURES) + " |\n|---|" + "---|" * len(FIGURES))
    for row, records in found.items():
        columns = np.array(records[:n]).T
        print(f"| {row} | " + " | ".join(f"{np.mean(c):.3f} / {np.median(c):.3f}" for c in columns) + " |")


def forms(constants: ForceConstants, reach: float) -> dict[str, ForceConstants]:
    """Force constants of the pairs within a distance, cut and fitted."""
    crystal = constants.crystal
    pairs, ways = neighbours(crystal, reach)
    targets = DynamicsTargets.of(constants, pairs, ways, EVERY, seed=0)
    charges: dict[str, Any] | None = None
    if len(targets.born):
        charges = {
            "born": targets.born.astype(float),
            "dielectric": targets.dielectric.astype(float),
            "factor": COULOMB,
        }
    both = {"cut": targets.targets, "fitted": fitted(pairs, ways, targets, crystal.masses)}
    return {words: from_pairs(crystal, pairs, ways, tensors.astype(float), charges) for words, tensors in both.items()}


def fitted(pairs: np.ndarray, ways: np.ndarray, targets: DynamicsTargets, masses: np.ndarray) -> np.ndarray:
    """Force constants of pairs whose dynamical matrices are nearest to the true ones, (n_pairs, 3, 3), eV/Å²."""
    of_atoms = Pairs.of(torch.from_numpy(pairs), torch.tensor(ways, dtype=torch.float32))
    weights = torch.tensor(masses, dtype=torch.float32)
    q, short, modes = (torch.from_numpy(x) for x in (targets.q, targets.short, targets.modes))
    energies = torch.from_numpy(targets.energies).abs()
    scale = 10 * MODE_ENERGY**2 / (energies[:, :, None] + energies[:, None] + FLOOR)
    tensors = torch.from_numpy(targets.targets.copy()).requires_grad_(True)
    optimizer = torch.optim.LBFGS([tensors], max_iter=STEPS, history_size=20, line_search_fn="strong_wolfe")

    def exchanged() -> torch.Tensor:
        return 0.5 * (tensors + tensors[of_atoms.reverse].transpose(1, 2))

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        difference = modes.mH @ (dynamical_matrices(exchanged(), of_atoms, weights, q) - short) @ modes
        size = (difference.abs() * scale).square().mean()
        size.backward()
        return size

    optimizer.step(loss)
    return exchanged().detach().numpy()


def figures(truth: Truth, constants: ForceConstants) -> list[float]:
    """W1, meV, R², and cosines of cuts of the powder map and of the single-crystal map, also smoothed by 3 % of E."""
    made = Rendered.of(truth, constants)
    dos = dos_record(truth, made.partial_dos)
    cuts = (
        powder_record(truth, made.powder),
        plane_record(truth, made.plane),
        plane_record(truth, made.plane, relative=0.03),
    )
    return [dos["W1"], dos["R2"], *(cut["cut cosine"] for cut in cuts)]


if __name__ == "__main__":
    main()
