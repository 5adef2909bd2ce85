"""Spectra at any list of wave vectors: the one road that planes, volumes and paths take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inscape import lattice
from inscape.errors import GridError
from inscape.scattering.coherent import add_spectra
from inscape.scattering.lengths import ScatteringLengths
from inscape.spectra import check_edges
from inscape.structures import Crystal, laue_rotations

if TYPE_CHECKING:
    from inscape.lattice import ForceConstants, Modes

Array = NDArray[np.floating]

MODES_BYTES = 64_000_000
"""Modes are computed, used and forgotten in blocks whose polarisations take at most this much."""

AT_GAMMA = 1e-6
"""Wave vectors whose fractions are this close to whole numbers are reciprocal-lattice vectors."""


class Block(NamedTuple):
    """Some wave vectors and their modes: Q of number ``which[i]`` scatters like ``vectors[i]``, of q ``q_index[i]``."""

    modes: Modes
    q_index: NDArray[np.int64]
    vectors: Array
    which: NDArray[np.int64]


def spectra_at(
    force_constants: ForceConstants,
    vectors: ArrayLike,
    energy_edges: ArrayLike,
    lengths: ScatteringLengths,
    displacement: Array,
    *,
    directions: ArrayLike | None = None,
) -> Array:
    """Reduced spectra R(Q,E) of one-phonon coherent scattering at a list of wave vectors.

    Parameters
    ----------
    vectors
        Q, shape (n, 3), Cartesian, 1/Å.
    energy_edges
        Bin edges, shape (n_energy + 1,), meV.
    displacement
        Tensors at the temperature of the Debye–Waller factor, shape (n_atoms, 3, 3), Å².
    directions
        From where each Q that is a reciprocal-lattice vector is approached, as in `inscape.modes_at`.

    Returns
    -------
    Array
        Shape (n, n_energy), barn sr⁻¹ per atom; imaginary modes are left out.
    """
    vectors = check_vectors(vectors)
    edges = check_edges(energy_edges, name="energies")
    spectra = np.zeros((len(vectors), len(edges) - 1))
    for modes, q_index, images, which in modes_in_blocks(force_constants, vectors, lengths, directions):
        add_spectra(spectra, modes, q_index, images, which, edges, lengths, displacement)
    return spectra / np.diff(edges)


def check_vectors(vectors: ArrayLike) -> Array:
    """Wave vectors as an array, shape (n, 3); `GridError` unless they are finite and three numbers each."""
    found = np.asarray(vectors, dtype=float)
    if found.ndim != 2 or found.shape[1] != 3 or not np.all(np.isfinite(found)):
        raise GridError(f"wave vectors must be finite, of shape (n, 3), in 1/Å; got an array of shape {found.shape}")
    return found


def modes_in_blocks(
    force_constants: ForceConstants, vectors: Array, lengths: ScatteringLengths, directions: ArrayLike | None = None
) -> Iterator[Block]:
    """Modes for any number of wave vectors, block by block, each computed once.

    Wave vectors related by the Laue group or a reciprocal-lattice vector share one diagonalisation, but for those that
    are Γ themselves and come from a direction. If nuclei absorb, the point group takes the place of the Laue group.
    """
    crystal = force_constants.crystal
    fractional = vectors @ np.linalg.inv(crystal.reciprocal)
    towards = np.zeros_like(vectors) if directions is None else np.broadcast_to(directions, vectors.shape)
    alone = np.all(np.abs(fractional - np.rint(fractional)) < AT_GAMMA, axis=1) & towards.any(axis=1)
    together = np.flatnonzero(~alone)
    alike = crystal.rotations if len(lengths.parts) > 1 else laue_rotations(crystal)
    q, q_index, images = share_by_symmetry(crystal, vectors[together], alike)
    order = np.argsort(q_index, kind="stable")
    step = max(1, MODES_BYTES // (16 * 9 * crystal.n_atoms**2))
    for start in range(0, len(q), step):
        stop = min(start + step, len(q))
        part = order[slice(*np.searchsorted(q_index[order], [start, stop]))]
        modes = lattice.modes_at(force_constants, q[start:stop])
        yield Block(modes, q_index[part] - start, images[part], together[part])
    for start in range(0, int(alone.sum()), step):
        which = np.flatnonzero(alone)[start : start + step]
        modes = lattice.modes_at(force_constants, np.rint(fractional[which]), directions=towards[which])
        yield Block(modes, np.arange(len(which)), vectors[which], which)


def share_by_symmetry(
    crystal: Crystal, vectors: Array, rotations: NDArray[np.integer]
) -> tuple[Array, NDArray[np.int64], Array]:
    """Replace each Q by an image under rotations such that as few q = Q − G as possible remain.

    Parameters
    ----------
    rotations
        A group of rotations that leave S as it is, in the form of `inscape.structures.laue_rotations`.

    Returns
    -------
    q
        Distinct wave vectors, shape (n_q, 3), fractions of the primitive reciprocal lattice.
    q_index
        Which q each Q uses, shape (n,).
    vectors
        The image of each Q that is its q plus a reciprocal-lattice vector, shape (n, 3), Cartesian, 1/Å; S is the same.
    """
    fractional = vectors @ np.linalg.inv(crystal.reciprocal)
    best = np.full(len(fractional), np.inf)
    image = fractional.copy()
    mixing = np.array([1.0, np.sqrt(2.0), np.sqrt(3.0)])  # one number that tells wave vectors apart
    for operation in rotations:
        moved = fractional @ operation
        key = np.round(moved - np.floor(moved + 1e-7), 7) @ mixing
        better = key < best - 1e-6
        best = np.where(better, key, best)
        image[better] = moved[better]
    reduced = np.round(image - np.floor(image + 1e-7), 7)
    steps = np.rint(reduced * 1e6).astype(np.int64)
    numbers = (steps[:, 0] * 2_000_000 + steps[:, 1]) * 2_000_000 + steps[:, 2]  # quicker to sort than rows
    _, first, q_index = np.unique(numbers, return_index=True, return_inverse=True)
    q = reduced[first]
    return q, q_index, (q[q_index] + np.floor(image + 1e-7)) @ crystal.reciprocal
