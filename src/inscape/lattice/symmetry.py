"""Symmetry of the modes at Γ: which are degenerate, their irreducible representations, and what light may excite.

Characters come from the polarisations themselves. Which representations infrared light and Raman scattering reach
follows from the characters of a vector and of a symmetric tensor; only the names are looked up, in phonopy's tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import spglib
from numpy.typing import NDArray
from phonopy.phonon.irreps import IrRepLabels

from inscape.lattice.force_constants import PHONOPY_SYMPREC
from inscape.lattice.modes import Modes
from inscape.structures import Crystal

Array = NDArray[np.float64]

SAME_ENERGY = 0.01
"""Modes closer than this, meV, may be degenerate; symmetry decides whether they are."""

SAME_EIGENVALUE = 1e-6
"""Eigenvalues of a random symmetric operator, of the order of 1, that are closer than this are one."""


@dataclass(frozen=True, eq=False)
class GammaModes:
    """Modes at Γ in sets that symmetry makes degenerate, lowest first.

    Parameters
    ----------
    energies
        Shape (3 n_atoms,), meV, the same for all modes of a set; an imaginary mode has a negative value.
    polarisations
        Shape (3 n_atoms, n_atoms, 3), real, each mode of norm 1: modes that are close by accident are not mixed.
    sets
        Modes of each set, counted from 0.
    """

    energies: Array
    polarisations: Array
    sets: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class ModeSymmetry:
    """Representations of the sets of `GammaModes`, in their order.

    Parameters
    ----------
    point_group
        Hermann–Mauguin symbol.
    labels
        Mulliken symbol of each set; None where no table knows it.
    infrared, raman
        Whether a set transforms like a part of a vector, or of a symmetric tensor: activity allowed by symmetry.
        Acoustic modes transform like a vector, too.
    """

    point_group: str
    labels: tuple[str | None, ...]
    infrared: tuple[bool, ...]
    raman: tuple[bool, ...]


def acoustic_shares(polarisations: NDArray[Any], masses: NDArray[np.floating]) -> Array:
    """Share of each mode at Γ that moves the crystal as a whole, shape (n_modes,); the shares sum to 3."""
    whole = np.sqrt(masses / masses.sum())
    return np.asarray(np.sum(np.abs(np.einsum("d,mdx->mx", whole, polarisations)) ** 2, axis=1))


def gamma_modes(modes: Modes) -> GammaModes:
    """Modes at Γ, adapted to the symmetry: sets that are irreducible, each pair of complex conjugates taken as one.

    A random symmetric operator is averaged over the group. In a space of modes of one energy its eigenspaces are
    irreducible, whatever lies there by accident.

    Parameters
    ----------
    modes
        Modes at the one wave vector Γ, without macroscopic field.
    """
    crystal = modes.crystal
    _, rotations, permutations = crystal.operations
    vectors = modes.polarisations[0].reshape(len(modes.energies[0]), -1)
    found: list[tuple[float, Array]] = []
    for cluster in _clusters(modes.energies[0], acoustic_shares(modes.polarisations[0], crystal.masses)):
        basis = np.linalg.eigh((vectors[cluster].T @ vectors[cluster].conj()).real)[1][:, -len(cluster) :].T
        for part in _irreducible(basis, rotations, permutations):
            overlaps = np.abs(part @ vectors[cluster].conj().T) ** 2
            found.append((float(np.mean(overlaps @ modes.energies[0][cluster])), _along_axes(part)))
    found.sort(key=lambda item: item[0])
    sizes = [len(part) for _, part in found]
    ends = np.cumsum([0, *sizes]).tolist()
    return GammaModes(
        np.repeat([energy for energy, _ in found], sizes),
        np.concatenate([part for _, part in found]).reshape(len(vectors), -1, 3),
        tuple(tuple(range(start, stop)) for start, stop in pairwise(ends)),
    )


def mode_symmetry(crystal: Crystal, found: GammaModes) -> ModeSymmetry:
    """Irreducible representations of modes at Γ, and what light may excite.

    References
    ----------
    D. L. Rousseau, R. P. Bauman, S. P. S. Porto, J. Raman Spectrosc. 10, 253 (1981): a mode is infrared-active where
    its representation is contained in that of a vector, Raman-active where in that of a symmetric second-rank tensor.
    """
    _, rotations, permutations = crystal.operations
    flat = found.polarisations.reshape(len(found.energies), -1)
    characters = np.array(
        [np.trace(_representation(flat[list(s)], rotations, permutations), axis1=1, axis2=2) for s in found.sets]
    )
    traces = np.trace(rotations, axis1=1, axis2=2)
    squares = np.trace(rotations @ rotations, axis1=1, axis2=2)
    tensor = (traces**2 + squares) / 2
    symbol, labels = _labels(crystal, rotations, characters)
    return ModeSymmetry(
        symbol,
        labels,
        tuple((characters @ traces / len(traces) > 0.5).tolist()),
        tuple((characters @ tensor / len(traces) > 0.5).tolist()),
    )


def _clusters(energies: Array, acoustic: Array) -> list[NDArray[np.intp]]:
    """Modes that may be degenerate: the three acoustic ones, and runs of others closer than `SAME_ENERGY`."""
    whole = np.sort(np.argsort(acoustic)[-3:])
    rest = np.setdiff1d(np.arange(len(energies)), whole)
    gaps = np.flatnonzero(np.diff(energies[rest]) > SAME_ENERGY) + 1
    return [whole, *(part for part in np.split(rest, gaps) if len(part))]


def _representation(basis: Array, rotations: Array, permutations: NDArray[np.int64]) -> Array:
    """Matrices of the operations in a space of modes: basis (m, 3 n_atoms), result (n_operations, m, m)."""
    vectors = basis.reshape(len(basis), -1, 3)
    turned = np.einsum("gxy,mgdy->gmdx", rotations, vectors[:, permutations])
    return np.asarray(np.einsum("gmi,ni->gnm", turned.reshape(len(rotations), *basis.shape), basis))


def _irreducible(basis: Array, rotations: Array, permutations: NDArray[np.int64]) -> list[Array]:
    """The irreducible parts of a space of modes, each a basis of shape (size, 3 n_atoms)."""
    if len(basis) == 1:
        return [basis]
    matrices = _representation(basis, rotations, permutations)
    random = np.random.default_rng(0).normal(size=(len(basis), len(basis)))
    averaged = np.mean(matrices @ (random + random.T) @ matrices.transpose(0, 2, 1), axis=0)
    values, vectors = np.linalg.eigh((averaged + averaged.T) / 2)
    starts = np.flatnonzero(np.diff(values) > SAME_EIGENVALUE) + 1
    return [part.T @ basis for part in np.split(vectors, starts, axis=1)]


def _along_axes(basis: Array) -> Array:
    """Another basis of the same space, (m, 3 n_atoms): the first vector moves one atom along an axis as far as any can.

    Which atom and axis that is goes on from vector to vector, the first of several that are alike.
    """
    projector = basis.T @ basis
    found = []
    for _ in basis:
        most = int(np.diag(projector).round(6).argmax())
        vector = projector[most] / np.sqrt(projector[most, most])
        found.append(vector)
        projector = projector - np.outer(vector, vector)
    return np.array(found)


def _labels(crystal: Crystal, rotations: Array, characters: Array) -> tuple[str, tuple[str | None, ...]]:
    """The point group, and the name of each representation by phonopy's tables."""
    cell: Any = (crystal.lattice, crystal.positions, crystal.kinds)
    dataset: Any = spglib.get_symmetry_dataset(cell, symprec=PHONOPY_SYMPREC)
    to_standard = dataset.transformation_matrix @ np.linalg.inv(crystal.lattice.T)
    standard = np.rint(to_standard @ rotations @ np.linalg.inv(to_standard)).astype(np.int64)
    symbol = str(dataset.pointgroup).strip()
    try:
        found = IrRepLabels(np.round(characters, 4).astype(complex), standard, symbol, False).irrep_labels
    except RuntimeError:  # the group is in a setting that the tables lack
        found = None
    return symbol, tuple(found) if found is not None else (None,) * len(characters)
