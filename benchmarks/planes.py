"""Single-crystal maps in planes of any kind, by both roads: cosine of energy cuts with lattice dynamics, on `val`.

    python benchmarks/planes.py LIBRARY [--number N] [--planes "HK0,H0L,HHL,1 2 0; 0 0 1"]

Crystals are evenly taken from those of at most 40 atoms. Bins and cuts are those of `inscape evaluate`, which has (HK0)
alone: 10 K, E > 1 meV, smoothed by 1 meV, mean / median over crystals; beside both roads the true self part.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import replace

import numpy as np

from inscape.evaluation import Truth, plane_of, plane_record, read_truth
from inscape.evaluation.rendered import Foretold
from inscape.lattice import ForceConstants, modes_on_mesh
from inscape.library import Library
from inscape.library.render import REFERENCE_TEMPERATURE, RenderSettings
from inscape.notation import parse_plane
from inscape.scattering import displacements, native_plane, plane_map
from inscape.spectra import native_energy_edges
from inscape.structure_model import shipped_model
from inscape.structure_model.force_constants import shipped_force_constant_model
from inscape.threads import numpy_alone

MAX_ATOMS = 40


@numpy_alone()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--number", type=int, default=60)
    parser.add_argument("--planes", default="HK0,H0L,HHL,1 2 0; 0 0 1")
    options = parser.parse_args()
    library = Library(options.library)
    names = library.select("val", max_atoms=MAX_ATOMS)
    names = names[:: max(1, len(names) // options.number)][: options.number]
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for name in names:
        truth, true = read_truth(library, name), library.force_constants(name)
        (structure,) = shipped_model()([truth.crystal])
        foretold = Foretold.of(truth, shipped_force_constant_model(), shipped_model())
        for words in options.planes.split(","):
            seen = replace(truth, grid=native_plane(truth.crystal, parse_plane(words)))
            seen = replace(seen, plane=in_plane(seen, true))
            rows = {
                "code": plane_of(seen, structure),
                "force constants": in_plane(seen, foretold.force_constants),
                "true self part": seen.true_self_part(np.linalg.norm(seen.vectors, axis=1)),
            }
            for row, reduced in rows.items():
                found[words][row].append(plane_record(seen, reduced.reshape(len(seen.vectors), -1))["cut cosine"])
    roads = list(next(iter(found.values())))
    print(f"{len(names)} crystals\n\n| plane | " + " | ".join(roads) + " |\n|---" + "|---" * len(roads) + "|")
    for words, columns in found.items():
        cells = (f"{np.mean(columns[road]):.3f} / {np.median(columns[road]):.3f}" for road in roads)
        print(f"| {words} | " + " | ".join(cells) + " |")


def in_plane(truth: Truth, force_constants: ForceConstants) -> np.ndarray:
    """The reduced map of force constants, and of the displacements that follow from them, in the plane of a truth."""
    modes = modes_on_mesh(force_constants, RenderSettings.mesh_spacing)
    tensors = displacements(modes, REFERENCE_TEMPERATURE)
    return plane_map(force_constants, truth.grid, native_energy_edges(), truth.lengths, tensors)


if __name__ == "__main__":
    main()
