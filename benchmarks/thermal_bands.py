"""How often the error bands of predicted thermodynamic functions hold the truth.

    LIBRARY=phonondb.zarr python benchmarks/thermal_bands.py

Validation crystals, predicted from their structure alone, against what follows from their true density of states: share
of crystals inside the band, and the band's half width relative to the value, median. The bands were calibrated on
tuning crystals to hold 90 % of heat capacities. By thirds of the novelty, too.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict

import numpy as np

import inscape
from inscape.library import Library
from inscape.results import make_prediction
from inscape.spectra import native_energy_edges

KELVINS = (50.0, 100.0, 300.0)
NAMES = ("heat_capacity", "entropy", "free_energy", "displacement")
BATCH = 20


def main() -> None:
    """Measure and print."""
    if not os.environ.get("LIBRARY"):
        sys.exit("this benchmark needs a library: set LIBRARY to its path (make bench LIBRARY=phonondb.zarr)")
    library = Library(os.environ["LIBRARY"])
    names = library.select("val", max_atoms=40)
    inside, widths = defaultdict(list), defaultdict(list)
    novelty = []
    for start in range(0, len(names), BATCH):
        batch = names[start : start + BATCH]
        crystals = [library.crystal(name) for name in batch]
        for name, crystal, found in zip(batch, crystals, inscape.predict_many(crystals, kinds=["dos"]), strict=True):
            novelty.append(float(found.dataset.attrs["novelty"]))
            partial = library.arrays(name, "partial_dos")["partial_dos"].astype(float)
            truth = make_prediction(
                crystal=crystal, energy_edges=native_energy_edges(), temperature=300.0, partial_dos=partial
            )
            ours, true = (p.thermodynamics(KELVINS) for p in (found, truth))
            for quantity in NAMES:
                for i, kelvin in enumerate(KELVINS):
                    value, half, exact = (
                        np.asarray(source[n].values[i])
                        for source, n in ((ours, quantity), (ours, f"{quantity}_error"), (true, quantity))
                    )
                    inside[quantity, kelvin].append(np.mean(np.abs(value - exact) <= half))
                    widths[quantity, kelvin].append(np.mean(half / np.abs(value)))
    order = np.argsort(novelty)
    print(f"{len(names)} crystals\n\n| | inside | of each third by novelty | half width, median |\n|---|---|---|---|")
    for (quantity, kelvin), found in inside.items():
        thirds = ", ".join(f"{np.mean(np.array(found)[part]):.1%}" for part in np.array_split(order, 3))
        width = np.median(widths[quantity, kelvin])
        print(f"| {quantity}, {kelvin:g} K | {np.mean(found):.1%} | {thirds} | {width:.1%} |", flush=True)


if __name__ == "__main__":
    main()
