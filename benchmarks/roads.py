"""Spectra by every road that a user could take, on the same crystals of `val`, in one run: error and time.

    OMP_NUM_THREADS=1 python benchmarks/roads.py LIBRARY [--number N] [--max-atoms N] [--engines NAMES]
        [--reference WEIGHTS] [--figure FILE]

Roads: the code road and force constants in one pass, both of the structure model; the reference model, an e3nn network
of densities of states (``configs/structure-dos-e3nn.toml``), if its weights are given; and finite displacements with
interatomic potentials in the geometry of DFT, supercells of at least 10 Å. Crystals are evenly taken from those of
`val` with Born charges; the potentials have none and so lack LO–TO splitting in densities of states, as a user's would.
For their maps they are given those of DFT. One thread; potentials and models are loaded before. Time: from the
structure to the density of states. Interrupted, it prints the table of the crystals that are done.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from reference_model import density_by

from inscape.evaluation import Truth, dos_record, plane_of, plane_record, powder_of, powder_record, read_truth
from inscape.evaluation.rendered import Rendered
from inscape.lattice import COARSE_MESH, ForceConstants, modes_on_mesh
from inscape.library import Library
from inscape.potentials import engine
from inscape.scattering import density_of_states
from inscape.simulation import force_constants_of, predicted_force_constants
from inscape.simulation.charges import charges_from_library
from inscape.simulation.spectra import MODEL_MESH
from inscape.spectra import native_energy_edges
from inscape.structure_model import shipped_model
from inscape.structures import Crystal
from inscape.threads import numpy_alone
from inscape.training import load_weights

FIGURES = ("W1", "R2", "mean energy", "C_V(100 K)", "C_V(300 K)", "time, s")
MAP_FIGURES = ("powder", "powder, near", "distinct skill", "plane", "plane, 3 %")


@dataclass(frozen=True)
class Found:
    """Density of states of each atom or in total, 1/meV, native grid; and how to get reduced maps, powder and plane."""

    dos: np.ndarray
    maps: Callable[[Truth], tuple[np.ndarray, np.ndarray]] | None = None


Road = Callable[[Crystal], Found]


@numpy_alone()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--number", type=int, default=40)
    parser.add_argument("--max-atoms", type=int, default=20)
    parser.add_argument("--engines", default="nequix-oam-1-pft,sevennet-0")
    parser.add_argument("--reference", help="weights of the reference model")
    parser.add_argument("--figure", help="picture of error against time")
    options = parser.parse_args()
    torch.set_num_threads(1)
    library = Library(options.library)
    names = [n for n in library.select("val", max_atoms=options.max_atoms) if library.entries[n].has_born]
    names = names[:: max(1, len(names) // options.number)][: options.number]
    figures: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as cache:
        roads: dict[str, Road] = {"code": by_code, "force constants": in_one_pass}
        if options.reference:
            roads["e3nn"] = by_reference(options.reference)
        for road in roads.values():
            road(library.crystal(names[0]))  # loads
        roads |= {name: by_displacements(name, library, cache) for name in options.engines.split(",") if name}
        try:
            for name in names:
                truth = read_truth(library, name)
                records = {road: compared(truth, make) for road, make in roads.items()}
                for road, record in records.items():
                    for key, value in record.items():
                        figures[road][key].append(value)
                print(name, truth.crystal.formula, *(f"{r} {v['W1']:.2f}" for r, v in records.items()), flush=True)
        except KeyboardInterrupt:
            pass
    done = len(figures["code"]["W1"])
    print(f"\n{done} crystals (mean / median)")
    for keys in (FIGURES, MAP_FIGURES):
        print("\n" + table(figures, keys))
    if options.figure:
        draw(figures, done, options.figure)


def by_code(crystal: Crystal) -> Found:
    """The code road."""
    model = shipped_model()

    def maps(truth: Truth) -> tuple[np.ndarray, np.ndarray]:
        (structure,) = model([crystal])
        return powder_of(truth, structure), plane_of(truth, structure)

    return Found(model([crystal], kinds=("dos",))[0].partial_dos, maps)


def in_one_pass(crystal: Crystal) -> Found:
    """Force constants in one pass."""
    force_constants = predicted_force_constants(crystal).force_constants
    return Found(spectrum(force_constants, MODEL_MESH, spread=True), lambda truth: maps_of(force_constants, truth))


def by_reference(weights: str) -> Road:
    """The reference model in a file."""
    density = density_by(*load_weights(weights))
    return lambda crystal: Found(density(crystal))


def by_displacements(name: str, library: Library, cache: str) -> Road:
    """Finite displacements with a potential."""
    potential = engine(name)
    _ = potential.calculator  # loads

    def road(crystal: Crystal) -> Found:
        force_constants = force_constants_of(crystal, potential, relax=False, cache=cache).force_constants

        def maps(truth: Truth) -> tuple[np.ndarray, np.ndarray]:
            charges, _ = charges_from_library(library.path, force_constants.crystal)
            return maps_of(force_constants.with_charges(charges), truth)

        return Found(spectrum(force_constants, COARSE_MESH), maps)

    return road


def spectrum(force_constants: ForceConstants, spacing: float, *, spread: bool = False) -> np.ndarray:
    """Partial densities of states on the native grid, of modes on a mesh of that spacing, 1/Å, spread over it if so."""
    return density_of_states(modes_on_mesh(force_constants, spacing, spread=spread), native_energy_edges())[0]


def maps_of(force_constants: ForceConstants, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """Reduced maps of force constants, rendered as those of the library."""
    rendered = Rendered.of(truth, force_constants)
    return rendered.powder, rendered.plane


def compared(truth: Truth, make: Road) -> dict[str, float]:
    """Figures of one crystal by one road, and the time to the density of states."""
    started = time.perf_counter()
    found = make(truth.crystal)
    seconds = time.perf_counter() - started
    record = {**dos_record(truth, np.asarray(found.dos, dtype=float)), "time, s": seconds}
    if found.maps is not None:
        powder, plane = found.maps(truth)
        cuts = powder_record(truth, powder)
        record |= {"powder": cuts["cut cosine"], "powder, near": cuts["cut cosine, near"]}
        record["distinct skill"] = cuts["distinct skill"]
        record["plane"] = plane_record(truth, plane)["cut cosine"]
        record["plane, 3 %"] = plane_record(truth, plane, relative=0.03)["cut cosine"]
    return record


def table(figures: dict[str, dict[str, list[float]]], keys: Sequence[str]) -> str:
    """Mean and median of each road."""
    lines = ["| road | " + " | ".join(keys) + " |", "|---|" + "---|" * len(keys)]
    for road, columns in figures.items():
        if keys[0] in columns:
            cells = (f"{np.mean(columns[key]):.3f} / {np.median(columns[key]):.3f}" for key in keys)
            lines.append(f"| {road} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(figures: dict[str, dict[str, list[float]]], number: int, path: str) -> None:
    """Mean W1, with its standard error, against the median time of each road."""
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


if __name__ == "__main__":
    main()
