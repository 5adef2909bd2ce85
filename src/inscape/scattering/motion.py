"""How each atom moves: the spectrum of its displacement along a direction, on a grid that keeps the sum rules.

An atom of mass M whose displacement along the unit vector ê has the density of states g_ê(E), of area 1, moves with
the spectrum

    U(E) = ħ²/2M · g_ê(|E|)/E · (n(E,T) + 1),    ∫ U dE = ⟨(ê·u)²⟩,

at energies of either sign. Scattering by any number of phonons follows from it (`inscape.scattering.multiphonon`).
It is held as weights at the energies k·step, for which three laws are exact, whatever the step: detailed balance,
U(−E) = exp(−E/k_BT) U(E); the area, ⟨(ê·u)²⟩ = 2W/Q²; and the recoil sum rule, ∫ E U dE = ħ²/2M.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import lebedev_rule
from scipy.sparse import csr_array, vstack

from inscape.scattering.dos import SMALLEST_ENERGY
from inscape.scattering.incoherent import energies_of_bins
from inscape.scattering.spreading import Spreading
from inscape.units import HBAR2_2U, bose, coth_half

if TYPE_CHECKING:
    from inscape.lattice import Modes

Array = NDArray[np.floating]

LEBEDEV_DEGREE = 11
"""Directions of Q are those of Lebedev's rule of this degree: 50, or 25 up to their sign."""

SAME_IN_ALL_DIRECTIONS = 1e-6
"""An atom whose spectra along all directions agree to this share of their area needs one direction only."""


@dataclass(frozen=True, eq=False)
class Motion:
    """Motion of atoms along directions, one *row* for each direction of each set of equivalent atoms.

    Parameters
    ----------
    sites
        Set of equivalent atoms that each atom belongs to, shape (n_atoms,).
    row_site, row_weight
        Set that each row is for, and weight of its direction among those of the set, shape (n_rows,).
    step
        Step of the energy grid, meV.
    spectrum
        U at the energies k·step, k = −n … n, integrated over a step, shape (n_rows, 2n + 1), Å².
    loss
        U on the bins of energy loss asked for, mean over each, shape (n_rows, n_energy), Å²/meV.
    """

    sites: NDArray[np.int64]
    row_site: NDArray[np.int64]
    row_weight: Array
    step: float
    spectrum: Array
    loss: Array

    @property
    def square_displacements(self) -> Array:
        """⟨(ê·u)²⟩ = 2W/Q² of each row, shape (n_rows,), Å²."""
        return np.asarray(self.spectrum.sum(axis=1))


def motion_of_modes(
    modes: Modes, energy_edges: Array, temperature: float, *, step: float, isotropic: bool = False
) -> Motion:
    """Motion of the atoms of a crystal, from its phonon modes.

    Modes that are imaginary or have next to no energy are left out, as from `displacements`.

    Parameters
    ----------
    energy_edges
        Bin edges of ``loss``, shape (n_energy + 1,), meV, none below 0.
    temperature
        K.
    step
        Step of the grid of ``spectrum``, meV.
    isotropic
        Take the mean over all directions for each direction: the isotropic approximation.
    """
    use = modes.energies > SMALLEST_ENERGY
    spreading = Spreading.of(modes, energy_edges)
    steps = spreading.steps[use], spreading.n_steps
    spread, size = _spreading(modes.energies[use], energy_edges, temperature, step, *steps)
    weights = np.broadcast_to(modes.weights[:, None], use.shape)[use][:, None, None]
    tensors = []
    for atom in range(modes.crystal.n_atoms):
        e = modes.polarisations[..., atom, :][use]
        square = weights * (e[:, :, None] * e[:, None, :].conj()).real
        on_grid, in_bins = np.split(spread @ square.reshape(-1, 9), [size + 1])
        in_bins = spreading.sum(in_bins.T.reshape(9, spreading.n_steps, -1).swapaxes(0, 1)).T
        tensors.append(np.concatenate([on_grid, in_bins]).reshape(-1, 3, 3))
    averaged = modes.average_tensors(np.stack(tensors))
    first, sites = np.unique(modes.permutations.min(axis=0), return_inverse=True)
    sites = sites.reshape(-1)
    rows, row_site, row_weight = [], [], []
    for site, tensor in enumerate(averaged[first]):
        along, direction_weights = _along_directions(tensor, isotropic=isotropic)
        rows.append(along)
        row_site += [site] * len(along)
        row_weight.append(direction_weights)
    masses = modes.crystal.masses[first][row_site]
    spectrum, loss = _spectra(np.concatenate(rows), masses, temperature, step, size)
    return Motion(sites, np.array(row_site), np.concatenate(row_weight), step, spectrum, loss)


def motion_of_density_of_states(
    partial_dos: Array,
    edges: Array,
    masses: Array,
    energy_edges: Array,
    temperature: float,
    *,
    step: float,
) -> Motion:
    """Motion of atoms in the isotropic approximation, from the density of states of each.

    Parameters
    ----------
    partial_dos
        Shape (n_atoms, n), 1/meV, each of area 3, on bins ``edges`` (n + 1,), meV. At low energies, where bins are few
        or noisy and weigh most, g ∝ E² with the same area is used, as for `mean_square_displacements`.
    masses
        Shape (n_atoms,), u.
    energy_edges, temperature, step
        As for `motion_of_modes`.
    """
    energies, shares = energies_of_bins(partial_dos, edges)
    use = np.any(shares != 0, axis=0)
    spread, size = _spreading(energies[use], energy_edges, temperature, step)
    spectrum, loss = _spectra((spread @ shares[:, use].T).T / 3, masses, temperature, step, size)
    atoms = np.arange(len(masses))
    return Motion(atoms, atoms, np.ones(len(masses)), step, spectrum, loss)


def _spectra(rows: Array, masses: Array, temperature: float, step: float, size: int) -> tuple[Array, Array]:
    """``spectrum`` and ``loss`` of `Motion` from what `_spreading` made of the density of states of each row."""
    at_zero, on_grid, in_bins = np.split(rows * (HBAR2_2U / masses)[:, None], [1, size + 1], axis=1)
    energy = step * np.arange(1, size + 1)
    occupation = bose(energy, temperature)
    gain, loss = on_grid * (occupation / energy), on_grid * ((occupation + 1) / energy)
    return np.concatenate([gain[:, ::-1], at_zero, loss], axis=1), in_bins


def _spreading(
    energies: Array,
    energy_edges: Array,
    temperature: float,
    step: float,
    steps: NDArray[np.intp] | int = 0,
    n_steps: int = 1,
) -> tuple[Any, int]:
    """Matrix that takes a weight at each energy to the grid, and its part in U to the bins; and the last k of the grid.

    On the grid, a weight is shared by the two neighbours so that neither the sum of weights nor that of
    coth(E/2k_BT)/E changes, which is what recoil and displacement are made of. Below the first step all is at k = 1,
    and what this lacks of the second sum at k = 0, where motion has no recoil.

    Returns
    -------
    matrix
        Shape (1 + n_grid + n_energy, n): k = 0, k = 1 … n_grid, then (n + 1)/E over the width of the bin, 1/meV²; the
        bins once for each of the ``n_steps`` of a `Spreading`.
    n_grid
        Its size.
    """

    def pull(energy: Array) -> Array:
        return coth_half(energy, temperature) / energy

    n = np.arange(len(energies))
    size = int(energies.max(initial=0.0) / step) + 2
    low = np.maximum(np.floor(energies / step).astype(int), 1)
    at_low, at_high = pull(low * step), pull((low + 1) * step)
    share = np.minimum((pull(energies) - at_high) / (at_low - at_high), 1.0)
    excess = np.maximum(pull(energies) - at_low, 0.0)
    grid = csr_array(
        (np.concatenate([excess, share, 1 - share]), (np.concatenate([0 * n, low, low + 1]), np.tile(n, 3))),
        shape=(size + 1, len(n)),
    )
    where = np.searchsorted(energy_edges, energies, side="right") - 1
    inside = (where >= 0) & (where < len(energy_edges) - 1)
    where, energies = where[inside], energies[inside]
    density = (bose(energies, temperature) + 1) / energies / np.diff(energy_edges)[where]
    n_energy = len(energy_edges) - 1
    where = where + n_energy * np.broadcast_to(steps, len(inside))[inside]
    bins = csr_array((density, (where, n[inside])), shape=(n_steps * n_energy, len(n)))
    return vstack([grid, bins], format="csr"), size


def _along_directions(tensors: Array, *, isotropic: bool) -> tuple[Array, Array]:
    """Components ê·t·ê of tensors (n, 3, 3) along directions, shape (n_directions, n), and the directions' weights."""
    mean = np.trace(tensors, axis1=1, axis2=2)[None] / 3
    if isotropic:
        return mean, np.ones(1)
    directions, weights = lebedev_rule(LEBEDEV_DEGREE)
    half = np.lexsort(directions)[len(weights) // 2 :]  # of each pair ±ê, one
    directions, weights = directions[:, half], weights[half] / weights[half].sum()
    along = np.einsum("ad,nab,bd->dn", directions, tensors, directions, optimize=True)
    if np.abs(along - mean).sum(axis=1).max() <= SAME_IN_ALL_DIRECTIONS * np.abs(mean).sum():
        return mean, np.ones(1)
    return along, weights
