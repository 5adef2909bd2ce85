"""Lines, planes and volumes of reciprocal space, and reduced maps on them: each bin the average of points inside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inscape.errors import GridError
from inscape.scattering.coherent import add_spectra
from inscape.scattering.lengths import ScatteringLengths
from inscape.scattering.wave_vectors import modes_in_blocks
from inscape.spectra import centres, check_edges
from inscape.structures import Crystal

if TYPE_CHECKING:
    from inscape.lattice import ForceConstants

Array = NDArray[np.floating]

COUNTS = {1: "one vector", 2: "two vectors", 3: "three vectors"}
SPANNED = {1: "a line", 2: "a plane", 3: "a volume"}

FINEST = 0.05
"""Bins are sampled at least this closely, 1/Å, in cells of at most `FINE_ATOMS` atoms."""
FINE_ATOMS = 12


class ReciprocalGrid:
    """A grid along one to three reciprocal-lattice vectors: Q = origin + Σ_i x_i axis_i, with bins of each x_i.

    Parameters
    ----------
    axes
        Vectors, shape (n_axes, 3), in units of the conventional reciprocal lattice (r.l.u.): (1, 1, 0) is a* + b*.
    edges
        Bin edges along each axis, increasing.
    origin
        Where all x_i are 0, shape (3,), r.l.u.

    Raises
    ------
    GridError
        Axes that are zero, collinear or coplanar; edges that do not increase; as many edges as axes are needed.
    """

    def __init__(self, axes: ArrayLike, edges: tuple[ArrayLike, ...], origin: ArrayLike = (0.0, 0.0, 0.0)) -> None:
        self.axes = check_axes(axes, len(edges))
        self.edges = tuple(check_edges(e, name=f"axis {i + 1} of the grid") for i, e in enumerate(edges))
        self.origin = np.asarray(origin, dtype=float)
        if self.origin.shape != (3,) or not np.all(np.isfinite(self.origin)):
            raise GridError(f"origin must be three finite numbers, in r.l.u.; got {origin!r}")

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of bins along each axis."""
        return tuple(len(e) - 1 for e in self.edges)

    def vectors(self, crystal: Crystal, *coordinates: Array) -> Array:
        """Cartesian Q at coordinates along the axes, all of one shape: that shape + (3,), 1/Å."""
        cartesian = self.axes @ crystal.reciprocal_conventional
        offset = self.origin @ crystal.reciprocal_conventional
        return np.asarray(offset + np.stack(coordinates, axis=-1) @ cartesian)

    def centres(self, crystal: Crystal) -> Array:
        """Cartesian Q at the bin centres, shape (*shape, 3), 1/Å."""
        return self.vectors(crystal, *np.meshgrid(*(centres(e) for e in self.edges), indexing="ij"))


def check_axes(axes: ArrayLike, count: int) -> Array:
    """Axes as an array, shape (count, 3); `GridError` unless they are that many and independent."""
    found = np.asarray(axes, dtype=float)
    if found.shape != (count, 3) or not np.all(np.isfinite(found)):
        example = ((1, 0, 0), (0, 1, 0), (0, 0, 1))[:count]
        raise GridError(f"{SPANNED[count]} needs {COUNTS[count]} of three numbers, as {example}; got {axes!r}")
    if np.linalg.svd(found, compute_uv=False)[-1] < 1e-6:
        reason = {1: "zero", 2: "collinear", 3: "coplanar"}[count]
        raise GridError(f"vectors {found.tolist()} are {reason} and do not span {SPANNED[count]}; give others")
    return found


def grid_map(
    force_constants: ForceConstants,
    grid: ReciprocalGrid,
    energy_edges: ArrayLike,
    lengths: ScatteringLengths,
    displacement: Array,
    *,
    points_per_bin: int | None = None,
) -> Array:
    """Reduced map R(Q,E) of one-phonon coherent scattering on a grid, each bin the average of a few points inside it.

    Parameters
    ----------
    energy_edges
        Bin edges, shape (n_energy + 1,), meV.
    displacement
        Tensors at the temperature of the Debye–Waller factor, shape (n_atoms, 3, 3), Å².
    points_per_bin
        Points along each axis of a bin; as many as `FINEST` asks for unless given. With 1 the map is at the centres.

    Returns
    -------
    Array
        Shape (*grid.shape, n_energy), barn sr⁻¹ per atom; imaginary modes are left out.
    """
    edges = check_edges(energy_edges, name="energies")
    vectors, pixel = _points(force_constants.crystal, grid, points_per_bin)
    n_bins = int(np.prod(grid.shape))
    total = np.zeros((n_bins, len(edges) - 1))
    for modes, q_index, images, which in modes_in_blocks(force_constants, vectors, lengths):
        add_spectra(total, modes, q_index, images, pixel[which], edges, lengths, displacement)
    total *= n_bins / len(vectors) / np.diff(edges)
    return total.reshape(*grid.shape, -1)


def _points(crystal: Crystal, grid: ReciprocalGrid, points_per_bin: int | None) -> tuple[Array, NDArray[np.int64]]:
    """Sampling points inside the bins, shape (n, 3), Cartesian, and the flat number of the bin that each lies in."""
    sizes = np.linalg.norm(grid.axes @ crystal.reciprocal_conventional, axis=1)
    finest = FINEST if crystal.n_atoms <= FINE_ATOMS else 2 * FINEST
    coordinates, bins = [], []
    for edges, size in zip(grid.edges, sizes, strict=True):
        width = np.diff(edges)
        count = points_per_bin or max(1, int(np.ceil(width.max() * size / finest - 1e-9)))
        coordinates.append((edges[:-1, None] + width[:, None] * (np.arange(count) + 0.5) / count).ravel())
        bins.append(np.repeat(np.arange(len(width)), count))
    vectors = grid.vectors(crystal, *np.meshgrid(*coordinates, indexing="ij"))
    pixel = np.ravel_multi_index(np.meshgrid(*bins, indexing="ij"), grid.shape)
    return vectors.reshape(-1, 3), pixel.ravel()
