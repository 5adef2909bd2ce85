"""Crystals of a library whose truth stands on a short supercell, so that forces of an atom's images count as one.

    python benchmarks/short_supercells.py LIBRARY [--period 4]

How many clean crystals have a supercell with a period below so many Å, and below 6 Å, by split. Then, for those of
`val` below the first, the crystals of the same formula: their period, mean energy (meV), and the Wasserstein-1
distance (meV) of their densities of states.
"""

from __future__ import annotations

import argparse

import numpy as np

from inscape.library import Library
from inscape.metrics import mean_energy, wasserstein
from inscape.spectra import native_energy_edges

STEPS = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3), axis=-1).reshape(-1, 3)
LONGER = 6.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--period", type=float, default=4.0)
    options = parser.parse_args()
    library = Library(options.library)
    periods = {name: shortest(library, name) for split in ("train", "val") for name in library.select(split)}
    for split in ("train", "val"):
        own = np.array([periods[name] for name in library.select(split)])
        below = ", ".join(f"{np.sum(own < most)} below {most:g} Å" for most in (options.period, LONGER))
        print(f"{len(own)} of {split}: {below}")
    for name in library.select("val"):
        if periods[name] < options.period:
            print(f"\n{name} {library.entries[name].formula}\n\n| | split | period | mean energy | W1 |\n{'|---' * 5}|")
            alike = [other for other in periods if library.entries[other].formula == library.entries[name].formula]
            for other in sorted(alike, key=periods.__getitem__):
                one, true = density(library, other), density(library, name)
                edges = native_energy_edges()
                cells = f"{mean_energy(one, edges):.1f} | {wasserstein(one, true, edges):.2f}"
                print(f"| {other} | {library.entries[other].split} | {periods[other]:.1f} | {cells} |")


def shortest(library: Library, name: str) -> float:
    """Shortest period of a crystal's supercell, Å."""
    arrays = library.arrays(name, "cell_lattice", "supercell_matrix")
    supercell = arrays["supercell_matrix"].T @ arrays["cell_lattice"]  # phonopy has basis vectors in columns
    return float(np.linalg.norm(STEPS[np.any(STEPS != 0, axis=1)] @ supercell, axis=1).min())


def density(library: Library, name: str) -> np.ndarray:
    """Total density of states of a crystal, area 1."""
    total = library.arrays(name, "partial_dos")["partial_dos"].astype(float).sum(axis=0)
    return total / (total @ np.diff(native_energy_edges()))


if __name__ == "__main__":
    main()
