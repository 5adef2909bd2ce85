"""Density of states by every road that a user could take, on the same crystals of `val`, in one run: error and time.

    OMP_NUM_THREADS=1 python benchmarks/roads.py LIBRARY [--number N] [--max-atoms N] [--engines NAMES] [--figure FILE]

Roads: the code road and force constants in one pass, both of the structure model, and finite displacements with
interatomic potentials in the geometry of DFT, supercells of at least 10 Å. Crystals are evenly taken from those of
`val` with Born charges; the potentials have none and so lack LO–TO splitting, as a user's would. One thread;
potentials and models are loaded before. Time: from the structure to the density of states. Interrupted, it prints the
table of the crystals that are done.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import torch

from inscape.evaluation import Truth, dos_record, read_truth
from inscape.lattice import COARSE_MESH, modes_on_mesh
from inscape.library import Library
from inscape.potentials import engine
from inscape.scattering import density_of_states
from inscape.simulation import force_constants_of, predicted_force_constants
from inscape.spectra import native_energy_edges
from inscape.structure_model import shipped_model
from inscape.structures import Crystal
from inscape.threads import numpy_alone

FIGURES = ("W1", "R2", "mean energy", "C_V(100 K)", "C_V(300 K)")


@numpy_alone()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--number", type=int, default=40)
    parser.add_argument("--max-atoms", type=int, default=20)
    parser.add_argument("--engines", default="nequix-oam-1-pft,sevennet-0")
    parser.add_argument("--figure", help="picture of error against time")
    options = parser.parse_args()
    torch.set_num_threads(1)
    library = Library(options.library)
    names = [n for n in library.select("val", max_atoms=options.max_atoms) if library.entries[n].has_born]
    names = names[:: max(1, len(names) // options.number)][: options.number]
    model = shipped_model()
    potentials = {name: engine(name) for name in options.engines.split(",") if name}
    for potential in potentials.values():
        _ = potential.calculator
    predicted_force_constants(library.crystal(names[0]))  # loads
    figures: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as cache:
        roads = {
            "code": lambda crystal: model([crystal], kinds=("dos",))[0].partial_dos,
            "force constants": lambda crystal: spectrum(predicted_force_constants(crystal)),
            **{
                name: lambda crystal, p=potential: spectrum(force_constants_of(crystal, p, relax=False, cache=cache))
                for name, potential in potentials.items()
            },
        }
        try:
            for name in names:
                truth = read_truth(library, name)
                records = {road: compared(truth, make) for road, make in roads.items()}
                for road, record in records.items():
                    for key in (*FIGURES, "time, s"):
                        figures[road][key].append(record[key])
                print(name, truth.crystal.formula, *(f"{r} {v['W1']:.2f}" for r, v in records.items()), flush=True)
        except KeyboardInterrupt:
            pass
    done = len(figures["code"]["W1"])
    print(f"\n{done} crystals (mean / median)\n")
    print("| road | " + " | ".join([*FIGURES, "time, s"]) + " |\n|---|" + "---|" * (len(FIGURES) + 1))
    for road, columns in figures.items():
        cells = (f"{np.mean(columns[key]):.3f} / {np.median(columns[key]):.3f}" for key in (*FIGURES, "time, s"))
        print(f"| {road} | " + " | ".join(cells) + " |")
    if options.figure:
        draw(figures, done, options.figure)


def compared(truth: Truth, make: Callable[[Crystal], np.ndarray]) -> dict[str, float]:
    """Figures of one crystal by one road, and the time."""
    started = time.perf_counter()
    partial = make(truth.crystal)
    seconds = time.perf_counter() - started
    return {**dos_record(truth, np.asarray(partial, dtype=float)), "time, s": seconds}


def draw(figures: dict[str, dict[str, list[float]]], number: int, path: str) -> None:
    """Mean error, with its standard error, against the median time of each road."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    for road, columns in figures.items():
        errors, seconds = np.array(columns["W1"]), float(np.median(columns["time, s"]))
        ax.errorbar(seconds, errors.mean(), errors.std() / np.sqrt(number), fmt="o", capsize=3)
        ax.annotate(road, (seconds, errors.mean()), xytext=(7, 5), textcoords="offset points", fontsize=9)
    ax.set(xscale="log", ylim=(0, None), xlabel="time a crystal, one thread (s)")
    ax.set_ylabel("Wasserstein-1 of the density of states (meV)")
    ax.set_title(f"{number} crystals of val: error against time", fontsize=10)
    ax.margins(x=0.45)
    figure.savefig(path, dpi=150)


def spectrum(computed) -> np.ndarray:
    """Partial densities of states on the native grid."""
    force_constants = computed.force_constants
    modes = modes_on_mesh(force_constants, COARSE_MESH)
    return density_of_states(modes, native_energy_edges())[0]


if __name__ == "__main__":
    main()
