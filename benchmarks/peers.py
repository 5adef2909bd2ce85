"""The scattering engine against Euphonic: coherent one-phonon spectra at the same wave vectors.

    python benchmarks/peers.py ARCHIVE...

Five shells of |Q| with 30 random Q each, the same scattering lengths, Debye–Waller factor at 300 K from the same mesh.
Spectra of a shell are Gaussians of σ = 1 meV every 0.5 meV. Each cell of the table has the largest difference of an
energy, meV, and of a value of the spectrum, relative to it, among those above 1 % of the shell's largest. First without
Born charges, with Euphonic as it is and with equal images (`euphonic_peer.equal_images`); then with charges.
"""

from __future__ import annotations

import sys
import warnings
from contextlib import nullcontext

import numpy as np
from euphonic import ureg
from euphonic_peer import equal_images, euphonic_constants, lengths_table

from inscape.lattice import ForceConstants, modes_at, read_force_constants
from inscape.scattering import displacements, reduced_intensities, scattering_lengths

SHELLS = (1.0, 2.0, 3.5, 5.0, 7.0)
PER_SHELL = 30
KELVIN = 300.0


def compare(constants: ForceConstants, *, equal: bool = False) -> tuple[float, float]:
    """Largest difference of energies, meV, and of values of the spectrum that matter, relative."""
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

    positions = np.arange(0, energies.max() + 5, 0.5)
    mine, peers = (
        np.array([
            np.exp(-0.5 * (positions[:, None] - e.ravel()) ** 2) @ r.ravel()
            for e, r in zip(np.split(energy, len(SHELLS)), np.split(intensity, len(SHELLS)), strict=True)
        ])
        for energy, intensity in ((modes.energies, np.where(real, own, 0.0)), (energies, other))
    )
    matters = peers > 0.01 * peers.max(axis=1, keepdims=True)
    largest = np.abs(mine - peers)[matters] / peers[matters]
    return float(np.abs(energies - modes.energies)[real].max()), float(largest.max())


def main() -> None:
    """Print a table."""
    warnings.simplefilter("ignore")
    print("| crystal | atoms | as it is | equal images | with charges |\n|---|---|---|---|---|")
    for path in sys.argv[1:]:
        constants = read_force_constants(path)
        crystal, born = constants.crystal, constants.phonopy.nac_params
        cells = [f"{crystal.formula} ({crystal.space_group})", str(crystal.n_atoms)]
        for charges, equal in ((None, False), (None, True), (born, True)):
            if charges is None and len(cells) == 4:
                cells.append("–")
                continue
            constants.phonopy.nac_params = charges
            cells.append("{:.0e}, {:.0e}".format(*compare(constants, equal=equal)))
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
