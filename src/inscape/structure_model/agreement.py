"""Where two predictions meet: energies of modes by force constants, moved towards a predicted density of states.

The two come from networks that learned different things of the same crystals, and their errors have little to do with
each other: those of the mean energy have a correlation of 0.13 on the tuning crystals, at about equal size.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

from inscape.spectra import native_energy_edges

Array = NDArray[np.floating]

SCALE, SHAPE = 0.35, 0.15
"""Of the way from the energies of force constants to those of the density of states, in logarithms: that of the mean
energies, on which heat capacities depend, and that of single energies beyond it, where force constants are better."""

DEGREE = 5
"""Of the polynomial in the energy that energies are moved by: low, so that force constants stay short."""

FARTHEST = 0.3
"""A logarithm of energies farther apart than this is taken for this."""

LEAST = 0.05
"""Energies are compared from here on, meV."""


def agreed(energies: Array, partial_dos: Array) -> Array:
    """Energies of the same modes, moved towards a density of states.

    The n-th part of the modes from below ends at an energy of the force constants and at one of the density of states.
    The logarithm of their ratio is fitted by a polynomial in the energy, with the energy as weight. What the logarithm
    of an energy grows by is `SCALE` times that of the ratio of the mean energies, and `SHAPE` times what the polynomial
    says beyond it. So energies become larger or smaller by some per cent, their order and what is 0 stay.

    Parameters
    ----------
    energies
        Of modes by force constants, at wave vectors of equal weight, none negative, of any shape, meV.
    partial_dos
        Density of states of each atom on the native grid, shape (n_atoms, n_energy), 1/meV.
    """
    ours = np.sort(np.maximum(energies.ravel(), LEAST))
    edges = native_energy_edges()
    area = np.cumsum(np.sum(partial_dos, axis=0) * np.diff(edges))
    rising = np.concatenate([[0.0], area / area[-1]]) + 1e-12 * np.arange(len(edges))
    theirs = np.interp((np.arange(len(ours)) + 0.5) / len(ours), rising, edges)
    ratio = np.log(np.maximum(theirs, LEAST) / ours).clip(-FARTHEST, FARTHEST)
    law = Polynomial.fit(ours, ratio, DEGREE, w=ours, domain=[0.0, ours[-1]])
    scale = np.log(theirs.mean() / ours.mean()).clip(-FARTHEST, FARTHEST)
    return np.asarray(energies * np.exp(SCALE * scale + SHAPE * (law(energies) - scale)))
