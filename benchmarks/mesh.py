"""How fine a mesh spectra need where a model predicted the force constants, and what spreading modes over it gains.

    python benchmarks/mesh.py LIBRARY [--every N] [--powders N]

On meshes of several spacings, with and without the spreads of modes, of training crystals that models are tuned on:
densities of states of predicted force constants of every so many against those of the library; and of some of these
spectra of the library's own force constants in bins of 0.5 meV against those of a mesh of 0.05 1/Å: what densities of
states differ by, as a share of their area, and cosines of cuts of powder maps, as they are and smoothed by 1 meV.
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np
from roads import spectrum

from inscape.evaluation import dos_record, read_truth
from inscape.lattice import ForceConstants, Modes, modes_on_mesh
from inscape.library import Library
from inscape.metrics import SIGMA, STEP, cosine
from inscape.scattering import density_of_states, displacements, powder_map, scattering_lengths
from inscape.simulation import predicted_force_constants
from inscape.spectra import centres, smooth, uniform_edges
from inscape.structure_model.train import training_ids
from inscape.threads import numpy_alone

SPACINGS, FINE = (0.12, 0.16, 0.2, 0.25), 0.05
Q_EDGES = np.linspace(0.5, 8, 31)
TEMPERATURE = 300.0


@numpy_alone()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--every", type=int, default=3)
    parser.add_argument("--powders", type=int, default=12)
    options = parser.parse_args()
    library = Library(options.library)
    names = sorted(training_ids(library, 40)[1], key=lambda name: library.entries[name].n_atoms)[:: options.every]
    ways = [(spacing, spread) for spacing in SPACINGS for spread in (False, True)]
    figures: dict[tuple[float, bool], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for name in names:
        truth = read_truth(library, name)
        predicted = predicted_force_constants(truth.crystal).force_constants
        for spacing, spread in ways:
            record = dos_record(truth, spectrum(predicted, spacing, spread=spread))
            figures[spacing, spread]["W1, meV"].append(record["W1"])
    some = names[:: max(1, len(names) // options.powders)][: options.powders]
    for name in some:
        force_constants = library.force_constants(name)
        fine = modes_on_mesh(force_constants, FINE)
        edges = uniform_edges(1.1 * float(fine.energies.max()), STEP)
        true = spectra(force_constants, fine, edges)
        for spacing, spread in ways:
            ours = spectra(force_constants, modes_on_mesh(force_constants, spacing, spread=spread), edges)
            found = figures[spacing, spread]
            found["densities of states differ by"].append(float(np.abs(ours[0] - true[0]).sum() / true[0].sum()))
            found["cosine of powders"].append(float(np.nanmean(cosine(ours[1], true[1]))))
            wide = (smooth(one, SIGMA, STEP) for one in (ours[1], true[1]))
            found["smoothed"].append(float(np.nanmean(cosine(*wide))))
    print(f"{len(names)} and {len(some)} crystals, mean / median\n")
    columns = list(next(iter(figures.values())))
    print("| spacing, 1/Å | modes | " + " | ".join(columns) + " |\n" + "|---" * (2 + len(columns)) + "|")
    for (spacing, spread), found in figures.items():
        cells = (f"{np.mean(found[name]):.3f} / {np.median(found[name]):.3f}" for name in columns)
        print(f"| {spacing} | {'spread' if spread else 'sharp'} | " + " | ".join(cells) + " |")


def spectra(force_constants: ForceConstants, modes: Modes, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Density of states, and powder map over energy above 1 meV, which is what it goes with when it is warm."""
    lengths, energy = scattering_lengths(modes.crystal), centres(edges)
    reduced = powder_map(force_constants, modes, Q_EDGES, edges, lengths, displacements(modes, TEMPERATURE))
    return density_of_states(modes, edges)[0].sum(axis=0), (reduced / energy)[:, energy > 1.0]


if __name__ == "__main__":
    main()
