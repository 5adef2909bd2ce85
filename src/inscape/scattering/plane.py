"""Coherent scattering of a single crystal in a plane of reciprocal space, each value the average over a small cell."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inscape import lattice
from inscape.errors import GridError
from inscape.scattering.coherent import reduced_intensities
from inscape.scattering.lengths import ScatteringLengths
from inscape.structures import Crystal, laue_rotations

if TYPE_CHECKING:
    from inscape.lattice import ForceConstants

Array = NDArray[np.floating]
Plane = tuple[tuple[float, float, float], tuple[float, float, float]]

HK0: Plane = ((1, 0, 0), (0, 1, 0))
STEPS = (0.1, 0.2, 0.25, 0.5, 1.0)
N_NATIVE = 32
FINEST = 0.05
"""Points of a plane are sampled at least this closely, 1/Å, in cells of at most `FINE_ATOMS` atoms."""
FINE_ATOMS = 12


@dataclass(frozen=True, eq=False)
class PlaneGrid:
    """A plane: two reciprocal-lattice vectors of the conventional cell, and bin edges along both, r.l.u.

    Q(h, k) = h·u + k·v with u, v the rows of ``axes``, shape (2, 3), in units of the conventional reciprocal lattice.
    """

    axes: Array
    h_edges: Array
    k_edges: Array

    def vectors(self, crystal: Crystal, h: Array, k: Array) -> Array:
        """Cartesian Q at h and k of one shape: that shape + (3,), 1/Å."""
        u, v = self.axes @ crystal.reciprocal_conventional
        return np.asarray(h[..., None] * u + k[..., None] * v)

    def centres(self, crystal: Crystal) -> Array:
        """Cartesian Q at the bin centres, shape (n_h, n_k, 3), 1/Å."""
        h, k = (0.5 * (e[1:] + e[:-1]) for e in (self.h_edges, self.k_edges))
        return self.vectors(crystal, *np.meshgrid(h, k, indexing="ij"))


def check_plane(plane: ArrayLike) -> Array:
    """Two plane vectors as an array, shape (2, 3); `GridError` unless they span a plane."""
    axes = np.asarray(plane, dtype=float)
    if axes.shape != (2, 3) or not np.all(np.isfinite(axes)):
        raise GridError(f"plane must be two vectors of three numbers, as ((1,0,0),(0,1,0)); got {plane!r}")
    if np.linalg.norm(np.cross(*axes)) < 1e-6:
        raise GridError(f"plane vectors {axes[0].tolist()} and {axes[1].tolist()} are collinear; give two directions")
    return axes


def native_plane(crystal: Crystal, plane: ArrayLike = HK0) -> PlaneGrid:
    """The grid that libraries and models use: 32 × 32 bins from 0, in steps of 0.1 r.l.u. or, in large cells, the
    next of 0.2, 0.25, 0.5, 1 with which each axis reaches 4 1/Å (it always reaches 3.2 r.l.u.)."""
    axes = check_plane(plane)
    lengths = np.linalg.norm(axes @ crystal.reciprocal_conventional, axis=1)
    edges = []
    for length in lengths:
        step = next((s for s in STEPS if N_NATIVE * s * length >= 4.0), STEPS[-1])
        edges.append(step * np.arange(N_NATIVE + 1))
    return PlaneGrid(axes, edges[0], edges[1])


def plane_map(
    force_constants: ForceConstants,
    grid: PlaneGrid,
    energy_edges: Array,
    lengths: ScatteringLengths,
    displacement: Array,
) -> Array:
    """Reduced map R(h,k,E) of one-phonon coherent scattering, each bin the average of a few points inside it.

    Points related by the Laue group or a reciprocal-lattice vector share one diagonalisation.

    Parameters
    ----------
    energy_edges
        Bin edges, shape (n_energy + 1,), meV.
    displacement
        Tensors at the temperature of the Debye–Waller factor, shape (n_atoms, 3, 3), Å².

    Returns
    -------
    Array
        Shape (n_h, n_k, n_energy), barn sr⁻¹ per atom.
    """
    crystal = force_constants.crystal
    h, k = _points(crystal, grid)
    vectors = grid.vectors(crystal, *np.meshgrid(h.ravel(), k.ravel(), indexing="ij")).reshape(-1, 3)
    q, q_index, vectors = share_by_symmetry(crystal, vectors)
    modes = lattice.modes_at(force_constants, q)
    n_h, n_k, n_energy = len(grid.h_edges) - 1, len(grid.k_edges) - 1, len(energy_edges) - 1
    pixel = (np.repeat(np.arange(n_h), h.shape[1])[:, None] * n_k + np.repeat(np.arange(n_k), k.shape[1])).ravel()
    bins = np.searchsorted(energy_edges, modes.energies, side="right") - 1
    total = np.zeros((n_h * n_k, n_energy))
    order = np.argsort(q_index, kind="stable")
    bounds = np.searchsorted(q_index[order], np.arange(len(q) + 1))
    for index, (first, last) in enumerate(pairwise(bounds)):
        rows = order[first:last]
        intensity = reduced_intensities(modes, index, vectors[rows], lengths, displacement)
        use = (bins[index] >= 0) & (bins[index] < n_energy)
        np.add.at(total, (pixel[rows, None], bins[index][use]), intensity[:, use])
    total /= h.shape[1] * k.shape[1] * np.diff(energy_edges)
    return total.reshape(n_h, n_k, n_energy)


def _points(crystal: Crystal, grid: PlaneGrid) -> tuple[Array, Array]:
    """Sampling points inside each bin, shapes (n_h, m_h) and (n_k, m_k); never at a bin's edge, so never a Γ point."""
    sizes = np.linalg.norm(grid.axes @ crystal.reciprocal_conventional, axis=1)
    found = []
    for edges, size in zip((grid.h_edges, grid.k_edges), sizes, strict=True):
        width = np.diff(edges)
        finest = FINEST if crystal.n_atoms <= FINE_ATOMS else 2 * FINEST
        m = max(1, int(np.ceil(width.max() * size / finest - 1e-9)))
        found.append(edges[:-1, None] + width[:, None] * (np.arange(m) + 0.5) / m)
    return found[0], found[1]


def share_by_symmetry(crystal: Crystal, vectors: Array) -> tuple[Array, NDArray[np.int64], Array]:
    """Replace each Q by an image under the Laue group such that as few q = Q − G as possible remain.

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
    for operation in laue_rotations(crystal):
        moved = fractional @ operation
        key = np.round(moved - np.floor(moved + 1e-7), 7) @ mixing
        better = key < best - 1e-6
        best = np.where(better, key, best)
        image[better] = moved[better]
    reduced = np.round(image - np.floor(image + 1e-7), 7)
    q, q_index = np.unique(reduced, axis=0, return_inverse=True)
    cell = np.floor(image + 1e-7)
    return q, q_index.ravel(), (q[q_index.ravel()] + cell) @ crystal.reciprocal
