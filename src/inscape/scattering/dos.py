"""Density of states of each atom, as it is and as neutrons weigh it, and the displacements that damp scattering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inscape.scattering.lengths import ScatteringLengths, Weights, scattering_lengths
from inscape.scattering.spreading import Spreading, is_even
from inscape.spectra import IMAGINARY_CUTOFF, rebin, uniform_edges
from inscape.units import HBAR2_2U, coth_half

if TYPE_CHECKING:
    from inscape.lattice import Modes

SMALLEST_ENERGY = 0.05
"""Modes below this energy, meV, leave scattering and displacements, where they would be divided by."""

FINE_STEP = 0.25
"""Width of the bins on which modes are spread where those asked for differ in width, meV."""

Array = NDArray[np.floating]


@dataclass(frozen=True)
class ImaginaryModes:
    """How unstable a crystal is: share of imaginary modes, the lowest of them (meV, negative), and the worst q.

    ``points`` has each wave vector with imaginary modes and the lowest energy there, the worst first.
    """

    share: float
    lowest: float
    q: tuple[float, float, float]
    points: tuple[tuple[tuple[float, float, float], float], ...] = ()


def imaginary_modes(modes: Modes) -> ImaginaryModes:
    """Share of the modes that are imaginary beyond `IMAGINARY_CUTOFF`, the lowest energy and where it lies."""
    share = float(np.sum(modes.weights[:, None] * (modes.energies < -IMAGINARY_CUTOFF)) / modes.energies.shape[1])
    lowest = modes.energies.min(axis=1)
    order = lowest.argsort(kind="stable")
    wave_vectors = [(float(x), float(y), float(z)) for x, y, z in modes.q[order]]
    count = int(np.sum(lowest < -IMAGINARY_CUTOFF))
    points = tuple(zip(wave_vectors[:count], lowest[order[:count]].tolist(), strict=True))
    return ImaginaryModes(share, float(min(lowest.min(), 0.0)), wave_vectors[0], points)


def neutron_weights(lengths: ScatteringLengths, masses: Array, weights: Weights) -> Array:
    """Factor of each atom's density of states in a neutron-weighted one, (σ_d/M_d)/(1/M̄).

    M̄ is the mean mass of the atoms, so that a crystal of one element keeps its density of states times its cross
    section, as in Euphonic.

    Parameters
    ----------
    lengths
        Scattering lengths of the atoms.
    masses
        Shape (n_atoms,), u.
    weights
        Which cross section.

    Returns
    -------
    Array
        Shape (n_atoms,), barn; 1 for "none".

    References
    ----------
    R. Fair et al., J. Appl. Cryst. 55, 1689 (2022), and the documentation of ``QpointPhononModes.calculate_pdos``.
    """
    square = lengths.square(weights)
    return square if weights == "none" else 4 * np.pi * square * (np.mean(masses) / masses)


def density_of_states(modes: Modes, edges: Array, *, weights: Weights = "none") -> tuple[Array, Array]:
    """Partial density of states of each atom, g_d(E) = (1/N_q) Σ |e_d|² δ(E − E_qν); their sum is the total.

    Parameters
    ----------
    modes
        Modes on a mesh.
    edges
        Energy bin edges, shape (n_energy + 1,), meV; they must reach the highest mode. Modes with spreads are Gaussians
        on bins of one width, and gathered from finer ones in others.
    weights
        Cross section that multiplies the share of each atom, with the inverse of its mass: see `neutron_weights`.

    Returns
    -------
    partial
        Shape (n_atoms, n_energy), 1/meV, or barn/meV with weights.
    imaginary
        Weight of the modes below 0 of each atom, shape (n_atoms,). The area of ``partial`` plus it is 3, times the
        weight of the atom.
    """
    n_atoms, n_energy = modes.crystal.n_atoms, len(edges) - 1
    if modes.spreads is not None and not is_even(edges):
        top = min(float(edges[-1]), 1.1 * float(modes.energies.max()) + FINE_STEP)
        fine = uniform_edges(top, FINE_STEP, name="energy")
        partial, lost = density_of_states(modes, fine, weights=weights)
        return rebin(partial, fine, edges), lost
    spreading = Spreading.of(modes, edges)
    n_steps = spreading.n_steps
    weight = (np.sum(np.abs(modes.polarisations) ** 2, axis=-1) * modes.weights[:, None, None]).reshape(-1, n_atoms)
    flat = modes.energies.ravel()
    real = flat >= 0
    shown = real & (flat >= edges[0]) & (flat <= edges[-1])
    bins = np.minimum(np.searchsorted(edges, flat[shown], side="right") - 1, n_energy - 1)
    rows = n_atoms * spreading.steps.ravel()[shown, None] + np.arange(n_atoms)
    places = bins[:, None] + n_energy * rows
    contents = np.bincount(places.ravel(), weight[shown].ravel(), n_steps * n_atoms * n_energy).astype(float)
    partial = spreading.sum(contents.reshape(n_steps, n_atoms, n_energy))
    imaginary = weight[~real].sum(axis=0)
    density, lost = modes.average_over_atoms(partial / np.diff(edges)), modes.average_over_atoms(imaginary)
    if weights == "none":
        return density, lost
    factor = neutron_weights(scattering_lengths(modes.crystal), modes.crystal.masses, weights)
    return factor[:, None] * density, factor * lost


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
    return modes.average_tensors(tensors)
