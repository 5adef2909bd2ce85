"""How much the energy of a mode varies over the cell of a mesh that its wave vector stands for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHARE_OF_ENERGY = 0.15
"""Spreads are at most this share of the energy: Gaussians, which end at four widths, stay away from 0, where spectra
are divided by the energy."""


def energy_spreads(
    energies: NDArray[np.float64], before: NDArray[np.float64], after: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Standard deviation of the energies of modes over the cell of the mesh around a wave vector.

    Along each vector of the mesh an energy is taken as the parabola through those of the two neighbours,
    E(x) = E + b x + a x² with x from −½ to ½ over the cell, whose variance is b²/12 + a²/180; those of the three
    vectors add. Modes are told apart by the order of their energies, as in linear interpolation on tetrahedra
    (P. E. Blöchl, O. Jepsen and O. K. Andersen, Phys. Rev. B 49, 16223, 1994). Along an axis of two points, whose two
    neighbours are one, slopes are not seen, and spreads are up to half too small.

    Parameters
    ----------
    energies
        Of the modes at each wave vector, ascending, shape (n_q, n_modes), meV.
    before, after
        The same at the neighbours against and along each vector of the mesh, shape (3, n_q, n_modes).

    Returns
    -------
    NDArray
        Shape (n_q, n_modes), meV; 0 for imaginary modes.
    """
    slope, curvature = (after - before) / 2, (after + before) / 2 - energies
    variance = np.sum(slope**2 / 12 + curvature**2 / 180, axis=0)
    return np.asarray(np.minimum(np.sqrt(variance), SHARE_OF_ENERGY * np.maximum(energies, 0.0)))


def spreads_on_mesh(
    energies: NDArray[np.float64],
    mesh: NDArray[np.int64],
    grid: NDArray[np.integer],
    points: NDArray[np.integer],
    point: NDArray[np.integer],
) -> NDArray[np.float64]:
    """`energy_spreads` of the modes of `inscape.lattice.modes_on_mesh`, shape (n_q, n_modes), meV.

    Parameters
    ----------
    energies
        Shape (n_q, n_modes), meV: at the irreducible points but Γ, then at the four around it, whose cells are half as
        wide.
    mesh
        Points along each reciprocal-lattice vector, shape (3,).
    grid
        Whole-number places of all points, shape (n, 3).
    points, point
        Which of them are the irreducible ones, and which of these each is an image of, shape (n,).
    """
    at_gamma = np.all(grid[points] == 0, axis=1)
    gamma = energies[-4:].mean(axis=0)
    gamma[:3] = 0.0
    at_points = np.empty((len(points), len(gamma)))
    at_points[~at_gamma], at_points[at_gamma] = energies[:-4], gamma
    place = np.empty(mesh, dtype=np.int64)
    place[tuple((grid % mesh).T)] = point
    before, after = (
        np.stack([at_points[place[tuple(((grid[points] + way * step) % mesh).T)]] for step in np.eye(3, dtype=int)])
        for way in (-1, 1)
    )
    others = energy_spreads(energies[:-4], before[:, ~at_gamma], after[:, ~at_gamma])
    near, chord = energies[-4:], after[:, at_gamma] - gamma
    return np.concatenate([others, energy_spreads(near, near - chord / 2, near + chord / 2)])
