"""The scattering engine against Euphonic: coherent one-phonon spectra at the same wave vectors.

    python benchmarks/peers.py ARCHIVE...

Five shells of |Q| with 30 random Q each, the same scattering lengths, Debye–Waller factor at 300 K from the same mesh.
Spectra of a shell are broadened by σ = 1 meV; the table gives the largest difference in a bin of 0.5 meV, relative to
that bin, among bins above 1 % of the shell's largest. First without Born charges, then with them.
"""

from __future__ import annotations

import sys
import warnings
from contextlib import nullcontext

import numpy as np
from euphonic import ureg
from euphonic_peer import equal_images, euphonic_constants, lengths_table

from inscape.lattice import ForceConstants, modes_at, read_force_constants
from inscape.scattering import broaden, displacements, reduced_intensities, scattering_lengths

SHELLS = (1.0, 2.0, 3.5, 5.0, 7.0)
PER_SHELL = 30
KELVIN = 300.0


def compare(constants: ForceConstants, *, equal: bool = False) -> tuple[float, float, float]:
    """Largest difference of energies (meV), of a bin that matters, and of a shell's spectrum in the mean square."""
    crystal, lengths = constants.crystal, scattering_lengths(constants.crystal)
    vectors = np.random.default_rng(0).normal(size=(len(SHELLS) * PER_SHELL, 3))
    vectors *= (np.repeat(SHELLS, PER_SHELL) / np.linalg.norm(vectors, axis=1))[:, None]
    q = vectors @ np.linalg.inv(crystal.reciprocal)
    mesh = np.stack(np.meshgrid(*[(np.arange(3) + 0.5) / 3] * 3, indexing="ij"), axis=-1).reshape(-1, 3)

    modes = modes_at(constants, q)
    tensors = displacements(modes_at(constants, mesh), KELVIN)
    own = reduced_intensities(modes, np.arange(len(q)), vectors, lengths, tensors)

    peer = euphonic_constants(constants)
    with equal_images() if equal else nullcontext():
        on_mesh = peer.calculate_qpoint_phonon_modes(mesh, asr=None)
        damping = on_mesh.calculate_debye_waller(KELVIN * ureg.K, frequency_min=0.05 * ureg.meV, symmetrise=False)
        theirs = peer.calculate_qpoint_phonon_modes(q, asr=None)
    factors = theirs.calculate_structure_factor(scattering_lengths=lengths_table(crystal, lengths), dw=damping)
    energies = theirs.frequencies.to("meV").magnitude
    real = (energies > 0.05) & (modes.energies > 0.05)
    other = factors.structure_factors.to("barn").magnitude * np.where(real, energies, 0.0)

    edges = np.arange(0, max(energies.max(), modes.energies.max()) + 5, 0.5)
    spectra = []
    for position, intensity in ((modes.energies, np.where(real, own, 0.0)), (energies, other)):
        rows = [np.histogram(e, edges, weights=r)[0] for e, r in zip(position, intensity, strict=True)]
        spectra.append(broaden(np.reshape(rows, (len(SHELLS), PER_SHELL, -1)).mean(axis=1), edges, 1.0))
    matters = spectra[1] > 0.01 * spectra[1].max(axis=1, keepdims=True)
    largest = float(np.abs(spectra[0] / np.where(matters, spectra[1], 1.0) - 1.0)[matters].max())
    norms = np.linalg.norm(spectra[0] - spectra[1], axis=1) / np.linalg.norm(spectra[1], axis=1)
    return float(np.abs(energies - modes.energies)[real].max()), largest, float(norms.max())


def main() -> None:
    """Print a table."""
    warnings.simplefilter("ignore")
    print("| crystal | atoms | charges | images | energies, meV | largest bin | spectrum |")
    print("|---|---|---|---|---|---|---|")
    for path in sys.argv[1:]:
        constants = read_force_constants(path)
        crystal, born = constants.crystal, constants.phonopy.nac_params
        name = f"{crystal.formula} ({crystal.space_group})"
        cases = [(None, False), (None, True)] + ([(born, True)] if born is not None else [])
        for charges, equal in cases:
            constants.phonopy.nac_params = charges
            energy, largest, spectrum = compare(constants, equal=equal)
            images, has = "equal" if equal else "as shipped", "no" if charges is None else "yes"
            row = f"{name} | {crystal.n_atoms} | {has} | {images} | {energy:.1e} | {largest:.1e} | {spectrum:.1e}"
            print(f"| {row} |", flush=True)


if __name__ == "__main__":
    main()
