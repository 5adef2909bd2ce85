"""Predicted spectra of TOSCA beside those of force constants, on crystals held out from training.

    python benchmarks/banks.py phonon_db_tarred/ phonondb_published_split.json [NUMBER]

Takes the first NUMBER crystals (8 unless given) with hydrogen of the split ``val`` by material id, and as many without,
of at most 16 atoms and without imaginary modes. Prints the cosine and the ratio of intensities of `inscape compare`,
energies smoothed by 1 meV beyond the resolution, 10 K, with all phonons that matter, up to 480 meV.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np

import inscape
from inscape.compare import compare

MOST_ATOMS = 16
ASKED = {"kinds": ("dos",), "temperature": 10.0, "instrument": "TOSCA", "multiphonon": True, "emax": 480.0}


def main() -> None:
    """Compare and print."""
    folder, split = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    number = int(sys.argv[3]) if len(sys.argv) > 3 else 8
    place = {re.search(r"materials-id-(\d+)-", p.name)[1]: p for p in folder.glob("*.lzma")}  # type: ignore[index]
    ids = sorted((str(name).removeprefix("mp-") for name in split["val"]), key=int)
    figures: dict[bool, list[dict[str, float]]] = {True: [], False: []}
    for name in ids:
        if min(map(len, figures.values())) >= number:
            break
        force_constants = inscape.read_force_constants(place[name])
        crystal = force_constants.crystal
        group = figures[1 in crystal.numbers]
        if crystal.n_atoms > MOST_ATOMS or len(group) >= number:
            continue
        truth = inscape.simulate(force_constants, **ASKED)  # type: ignore[arg-type]
        if truth.dataset.attrs["imaginary_share"] > 0.005:
            continue
        found = compare(truth, inscape.predict(crystal, **ASKED)).figures["instrument"]  # type: ignore[arg-type]
        group.append(found)
        print(
            f"mp-{name} {crystal.formula:12s} cosine {found['cut_cosine']:.3f}  ratio {found['ratio']:.3f}", flush=True
        )
    for hydrogen, group in figures.items():
        cosines, ratios = ([one[key] for one in group] for key in ("cut_cosine", "ratio"))
        print(
            f"{'with' if hydrogen else 'without'} hydrogen, {len(group)}: median cosine {np.median(cosines):.3f}, "
            f"worst {min(cosines):.3f}; ratio {min(ratios):.2f} to {max(ratios):.2f}"
        )


if __name__ == "__main__":
    main()
