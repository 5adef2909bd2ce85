"""Planes S(H,K,E): the grids on which single crystals are shown, kept in libraries, and learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inscape.scattering.grids import ReciprocalGrid, check_axes, grid_map
from inscape.scattering.lengths import ScatteringLengths
from inscape.structures import Crystal

if TYPE_CHECKING:
    from inscape.lattice import ForceConstants

Array = NDArray[np.floating]
Plane = tuple[tuple[float, float, float], tuple[float, float, float]]

HK0: Plane = ((1, 0, 0), (0, 1, 0))
STEPS = (0.1, 0.2, 0.25, 0.5, 1.0)
N_NATIVE = 32


class PlaneGrid(ReciprocalGrid):
    """A plane: two reciprocal-lattice vectors of the conventional cell, and bin edges along both, r.l.u.

    Q(h, k) = origin + h·u + k·v with u, v the rows of ``axes``, shape (2, 3), in units of the conventional reciprocal
    lattice.
    """

    def __init__(
        self, axes: ArrayLike, h_edges: ArrayLike, k_edges: ArrayLike, origin: ArrayLike = (0.0, 0.0, 0.0)
    ) -> None:
        super().__init__(axes, (h_edges, k_edges), origin)

    @property
    def h_edges(self) -> Array:
        """Bin edges along the first vector, shape (n_h + 1,)."""
        return self.edges[0]

    @property
    def k_edges(self) -> Array:
        """Bin edges along the second vector, shape (n_k + 1,)."""
        return self.edges[1]


def check_plane(plane: ArrayLike) -> Array:
    """Two plane vectors as an array, shape (2, 3); `GridError` unless they span a plane."""
    return check_axes(plane, 2)


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
    energy_edges: ArrayLike,
    lengths: ScatteringLengths,
    displacement: Array,
) -> Array:
    """Reduced map R(h,k,E) of one-phonon coherent scattering: `inscape.scattering.grid_map` in two dimensions.

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
    return grid_map(force_constants, grid, energy_edges, lengths, displacement)
