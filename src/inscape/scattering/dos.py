"""Density of states of each atom, and the displacements that damp scattering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inscape.units import HBAR2_2U, coth_half

if TYPE_CHECKING:
    from inscape.lattice import Modes

IMAGINARY_CUTOFF = 0.4
"""A mode below minus this energy, meV, counts as imaginary rather than as noise of an acoustic mode near Γ."""

SMALLEST_ENERGY = 0.05
"""Modes below this energy, meV, leave scattering and displacements, where they would be divided by."""

Array = NDArray[np.floating]


@dataclass(frozen=True)
class ImaginaryModes:
    """How unstable a crystal is: share of imaginary modes, the lowest of them (meV, negative), and the worst q."""

    share: float
    lowest: float
    q: tuple[float, float, float]


def imaginary_modes(modes: Modes) -> ImaginaryModes:
    """Share of the modes that are imaginary beyond `IMAGINARY_CUTOFF`, the lowest energy and where it lies."""
    share = float(np.sum(modes.weights[:, None] * (modes.energies < -IMAGINARY_CUTOFF)) / modes.energies.shape[1])
    worst = int(modes.energies.min(axis=1).argmin())
    x, y, z = (float(v) for v in modes.q[worst])
    return ImaginaryModes(share, float(min(modes.energies.min(), 0.0)), (x, y, z))


def density_of_states(modes: Modes, edges: Array) -> tuple[Array, Array]:
    """Partial density of states of each atom, g_d(E) = (1/N_q) Σ |e_d|² δ(E − E_qν).

    Parameters
    ----------
    modes
        Modes on a mesh.
    edges
        Energy bin edges, shape (n_energy + 1,), meV; they must reach the highest mode.

    Returns
    -------
    partial
        Shape (n_atoms, n_energy), 1/meV.
    imaginary
        Weight of the modes below 0 of each atom, shape (n_atoms,). The area of ``partial`` plus it is 3.
    """
    weight = np.sum(np.abs(modes.polarisations) ** 2, axis=-1) * modes.weights[:, None, None]
    flat = modes.energies.ravel()
    real = flat >= 0
    partial = np.stack(
        [
            np.histogram(flat[real], edges, weights=weight[..., atom].ravel()[real])[0]
            for atom in range(modes.crystal.n_atoms)
        ]
    )
    imaginary = weight.reshape(len(flat), -1)[~real].sum(axis=0)
    return modes.average_over_atoms(partial / np.diff(edges)), modes.average_over_atoms(imaginary)


def displacements(modes: Modes, temperature: float) -> Array:
    """Mean-square displacement tensors ⟨u_α u_β⟩ of each atom, shape (n_atoms, 3, 3), Å².

    ⟨u u⟩_d = ħ²/2M_d (1/N_q) Σ e_d e_d* coth(E/2k_BT)/E  (Squires, Introduction to the Theory of Thermal Neutron
    Scattering, 2012, eq. 3.44 and appendix G). Imaginary and near-zero modes are left out.
    """
    use = modes.energies > SMALLEST_ENERGY
    energies = np.where(use, modes.energies, 1.0)
    factor = np.where(use, coth_half(energies, temperature) / energies, 0.0) * modes.weights[:, None]
    tensors = np.einsum(
        "qm,qmda,qmdb->dab", factor, modes.polarisations, modes.polarisations.conj(), optimize=True
    ).real
    tensors *= HBAR2_2U / modes.crystal.masses[:, None, None]
    turned = [r @ tensors[p] @ r.T for r, p in zip(modes.rotations, modes.permutations, strict=True)]
    return np.asarray(np.mean(turned, axis=0))
