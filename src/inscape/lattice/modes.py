"""Phonon modes: energies and polarisations at wave vectors, on an irreducible mesh or where asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import spglib
from numpy.typing import ArrayLike, NDArray
from phonopy.physical_units import get_physical_units

from inscape.lattice.force_constants import ForceConstants
from inscape.lattice.inversion import diagonalised
from inscape.lattice.spreads import spreads_on_mesh
from inscape.structures import Crystal, averaged_tensors
from inscape.threads import shares, side_by_side
from inscape.units import THZ, signed_energies

BLOCK_BYTES = 64_000_000
"""Dynamical matrices are diagonalised in blocks of at most this size."""

FINE_MESH, COARSE_MESH, FINE_ATOMS = 0.06, 0.12, 12
"""Largest distance between wave vectors of the mesh of modes, 1/Å, in cells of at most so many atoms and in others."""


@dataclass(frozen=True, eq=False)
class Modes:
    """Phonon modes of a crystal.

    Parameters
    ----------
    crystal
        The primitive cell.
    q
        Wave vectors, shape (n_q, 3), fractions of the primitive reciprocal lattice.
    weights
        Weight of each wave vector, shape (n_q,), sum 1.
    energies
        Shape (n_q, 3 n_atoms), meV; an imaginary mode has a negative value.
    polarisations
        Shape (n_q, 3 n_atoms, n_atoms, 3): wave vector, mode, atom, Cartesian; each mode has norm 1 over the cell.
        They hold the phase of the atom (phonopy's convention): u_d ∝ e_d exp(i q·r_d).
    rotations, permutations
        Operations, shape (n, 3, 3) Cartesian and (n, n_atoms), over which a sum over an irreducible mesh has to be
        averaged: operation R moves atom ``permutations[n, d]`` onto atom d. The identity alone otherwise.
    spreads
        How much the energy of each mode varies over the cell of the mesh around its wave vector, shape
        (n_q, 3 n_atoms), meV, if that was asked for: spectra take it as a width.
    """

    crystal: Crystal
    q: NDArray[np.float64]
    weights: NDArray[np.float64]
    energies: NDArray[np.float64]
    polarisations: NDArray[np.complex128]
    rotations: NDArray[np.float64]
    permutations: NDArray[np.int64]
    spreads: NDArray[np.float64] | None = None

    def average_over_atoms(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Average a scalar of each atom, first axis (n_atoms,), over the operations."""
        return np.asarray(np.mean([values[p] for p in self.permutations], axis=0))

    def average_tensors(self, tensors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Average Cartesian tensors of each atom, shape (n_atoms, ..., 3, 3), over the operations."""
        return averaged_tensors(tensors, self.rotations, self.permutations)


def modes_at(
    force_constants: ForceConstants,
    q: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    directions: ArrayLike | None = None,
) -> Modes:
    """Phonon modes at given wave vectors.

    Parameters
    ----------
    q
        Shape (n_q, 3), fractions of the primitive reciprocal lattice; any, for the dynamical matrix is taken at the
        equivalent one near Γ (phonopy's dipole term is right only there) and the phase of G put into polarisations.
    weights
        Shape (n_q,); equal ones unless given.
    directions
        Directions from which q comes to Γ or to another reciprocal-lattice vector, shape (n_q, 3), or one for all,
        Cartesian, of any length. With Born charges the modes there depend on it: the longitudinal ones are higher.
        Without a direction, or along 0, they have no macroscopic field and all polar modes are transverse.
    """
    q = np.atleast_2d(np.asarray(q, dtype=float))
    n_atoms = force_constants.crystal.n_atoms
    share = np.full(len(q), 1.0 / len(q)) if weights is None else np.asarray(weights, dtype=float)
    unit = get_physical_units().DefaultToTHz * THZ  # phonopy's, so that modes are its own to the last digits
    towards = np.zeros_like(q) if directions is None else np.broadcast_to(np.asarray(directions, dtype=float), q.shape)
    energies = np.empty((len(q), 3 * n_atoms))
    polarisations = np.empty((len(q), 3 * n_atoms, n_atoms, 3), dtype=complex)
    lattice_vectors = np.rint(q)
    phases = np.exp(-2j * np.pi * lattice_vectors @ force_constants.crystal.positions.T)
    block = max(1, BLOCK_BYTES // (16 * 9 * n_atoms**2))
    _ = force_constants.short_sum  # made once, before threads ask for it

    def diagonalise(part: slice) -> None:
        matrices = force_constants.matrices((q - lattice_vectors)[part], towards[part])
        values, vectors = diagonalised(matrices, force_constants.crystal)
        energies[part] = signed_energies(values, unit)
        unphased = vectors.transpose(0, 2, 1).reshape(-1, 3 * n_atoms, n_atoms, 3)
        polarisations[part] = unphased * phases[part, None, :, None]

    side_by_side(partial(diagonalise, part) for part in shares(len(q), block))
    identity = np.eye(3)[None], np.arange(n_atoms)[None]
    return Modes(force_constants.crystal, q, share, energies, polarisations, *identity)


def mesh_spacing(crystal: Crystal) -> float:
    """The spacing of a mesh that is fine enough for spectra, 1/Å."""
    return FINE_MESH if crystal.n_atoms <= FINE_ATOMS else COARSE_MESH


def modes_on_mesh(force_constants: ForceConstants, spacing: float, *, spread: bool = False) -> Modes:
    """Phonon modes on the irreducible part of a Γ-centred mesh.

    The cell of the mesh around Γ is sampled at the eight points at a quarter of its edges (four, by time reversal)
    instead of at Γ itself, where acoustic modes have no energy and the dipole term no direction.

    Parameters
    ----------
    spacing
        Largest distance between neighbouring mesh points along a reciprocal-lattice vector, 1/Å.
    spread
        Say how much energies vary between the points, ``Modes.spreads``.
    """
    crystal = force_constants.crystal
    mesh = np.maximum(1, np.ceil(np.linalg.norm(crystal.reciprocal, axis=1) / spacing).astype(int))
    turns, rotations, permutations = crystal.operations
    points_of_mesh: Any = spglib.get_stabilized_reciprocal_mesh(mesh, turns)
    mapping, grid = points_of_mesh
    points, point, counts = np.unique(mapping, return_inverse=True, return_counts=True)
    q = grid[points] / mesh
    at_gamma = np.all(grid[points] == 0, axis=1)
    quarters = np.array([[1, 1, 1], [1, 1, -1], [1, -1, 1], [-1, 1, 1]]) / (4.0 * mesh)
    q = np.concatenate([q[~at_gamma], quarters])
    weights = np.concatenate([counts[~at_gamma], np.full(4, counts[at_gamma].sum() / 4)])
    modes = modes_at(force_constants, q, weights / weights.sum())
    found = replace(modes, rotations=rotations, permutations=permutations)
    if not spread:
        return found
    return replace(found, spreads=spreads_on_mesh(modes.energies, mesh, grid, points, point.reshape(-1)))
