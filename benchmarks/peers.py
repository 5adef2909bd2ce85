"""The scattering engine against Euphonic: coherent one-phonon intensities at random wave vectors.

    python benchmarks/peers.py ARCHIVE...

Without Born charges, without Debye–Waller factor; relative difference of histograms with 0.5 meV bins.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from euphonic import ForceConstants, ureg

from inscape.lattice import modes_at, read_force_constants
from inscape.scattering import reduced_intensities, scattering_lengths

N_POINTS = 60


def compare(path: str) -> tuple[str, int, float, float]:
    """Formula, atoms, largest difference of energies (meV), relative difference of intensities."""
    constants = read_force_constants(path)
    constants.phonopy.nac_params = None
    crystal = constants.crystal
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        constants.phonopy.save(Path(folder) / "phonopy.yaml", settings={"force_constants": True})
        peer = ForceConstants.from_phonopy(path=folder, summary_name="phonopy.yaml")
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(N_POINTS, 3))
    vectors *= (rng.uniform(0.5, 8, N_POINTS) / np.linalg.norm(vectors, axis=1))[:, None]
    q = vectors @ np.linalg.inv(crystal.reciprocal)
    lengths = scattering_lengths(crystal)
    table = {s: b * ureg.fm for s, b in zip(crystal.symbols, lengths.coherent + 1j * lengths.imaginary, strict=True)}
    theirs = peer.calculate_qpoint_phonon_modes(q, asr=None).calculate_structure_factor(scattering_lengths=table)
    energies, intensities = theirs.frequencies.to("meV").magnitude, theirs.structure_factors.to("barn").magnitude
    modes = modes_at(constants, q)
    still = np.zeros((crystal.n_atoms, 3, 3))
    ours = [reduced_intensities(modes, i, vectors[i : i + 1], lengths, still)[0] for i in range(N_POINTS)]
    edges = np.arange(0, energies.max() + 1, 0.5)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.stack([np.histogram(e, edges, weights=r / e)[0] for e, r in zip(modes.energies, ours, strict=True)])
    peers = np.stack([np.histogram(e, edges, weights=s)[0] for e, s in zip(energies, intensities, strict=True)])
    difference = float(np.linalg.norm(own - peers) / np.linalg.norm(peers))
    return crystal.formula, crystal.n_atoms, float(np.abs(energies - modes.energies).max()), difference


def main() -> None:
    """Print a table."""
    sys.stdout.write("| crystal | atoms | energies, meV | intensities, relative |\n|---|---|---|---|\n")
    for path in sys.argv[1:]:
        formula, n_atoms, energy, intensity = compare(path)
        sys.stdout.write(f"| {formula} | {n_atoms} | {energy:.1e} | {intensity:.1e} |\n")


if __name__ == "__main__":
    main()
