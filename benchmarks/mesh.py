"""How fine a mesh spectra need where a model predicted the force constants, whose errors are larger than the mesh's.

    python benchmarks/mesh.py LIBRARY [--every N] [--powders N]

On meshes of several spacings, of training crystals that models are tuned on, smallest cells first: densities of states
of predicted force constants of every so many against those of the library; and of some of these powder maps of the
library's own force constants against those of a mesh of 0.06 1/Å, cosine of cuts.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
from roads import spectrum

from inscape.evaluation import Truth, dos_record, powder_record, read_truth
from inscape.evaluation.rendered import Rendered
from inscape.lattice import ForceConstants
from inscape.library import Library
from inscape.library.render import RenderSettings
from inscape.simulation import predicted_force_constants
from inscape.structure_model.train import training_ids
from inscape.threads import numpy_alone

SPACINGS, FINE = (0.12, 0.16, 0.2), 0.06


@numpy_alone()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--every", type=int, default=3)
    parser.add_argument("--powders", type=int, default=12)
    options = parser.parse_args()
    library = Library(options.library)
    names = sorted(training_ids(library, 40)[1], key=lambda name: library.entries[name].n_atoms)[:: options.every]
    densities = {spacing: [] for spacing in SPACINGS}
    for name in names:
        truth = read_truth(library, name)
        predicted = predicted_force_constants(truth.crystal).force_constants
        for spacing, found in densities.items():
            found.append(dos_record(truth, spectrum(predicted, spacing))["W1"])
    some = names[:: max(1, len(names) // options.powders)][: options.powders]
    powders = {spacing: [] for spacing in SPACINGS}
    for name in some:
        truth, force_constants = read_truth(library, name), library.force_constants(name)
        fine = replace(truth, powder=powder(truth, force_constants, FINE))
        for spacing, found in powders.items():
            found.append(powder_record(fine, powder(truth, force_constants, spacing))["cut cosine"])
    print(f"{len(names)} and {len(some)} crystals, mean / median\n")
    print("| spacing, 1/Å | W1, meV | cut cosine of powders |\n|---|---|---|")
    for spacing in SPACINGS:
        error, cosine = densities[spacing], powders[spacing]
        print(
            f"| {spacing} | {np.mean(error):.3f} / {np.median(error):.3f} "
            f"| {np.mean(cosine):.4f} / {np.median(cosine):.4f} |"
        )


def powder(truth: Truth, force_constants: ForceConstants, spacing: float) -> np.ndarray:
    """Reduced powder map of modes on a mesh."""
    return Rendered.of(truth, force_constants, RenderSettings(mesh_spacing=spacing)).powder


if __name__ == "__main__":
    main()
