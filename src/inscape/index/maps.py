"""A linear code of whole powder maps: short enough for thousands of crystals, and one that any measurement can use.

A linear decoder can be brought to the grid, temperature, resolution and detectors of a measurement once, and then holds
for all crystals. What no detector saw is left out of it; nothing has to be guessed there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inscape.autoencoders import PCA
from inscape.spectra import centres, native_energy_edges, native_q_edges, rebin

Array = NDArray[np.floating]

N_COMPONENTS = 128

RARE = 0.02
"""Share of the mean map that is added to it before its root scales the bins: where few crystals scatter, noise does not
count more than this."""

MOTION = (0.0, 10.0, 50.0, 100.0, 150.0, 200.0, 300.0, 400.0, 600.0, 1000.0)
"""Temperatures at which displacements are known, K; between them lines are drawn, and beyond the last."""


def map_energy_edges() -> Array:
    """Energies of map codes: every second edge of the native grid, meV, shape (151,)."""
    return native_energy_edges()[::2]


def map_q_edges() -> Array:
    """|Q| of map codes: every second edge of the native grid, 1/Å, shape (51,)."""
    return native_q_edges()[::2]


def on_map_grid(reduced: Array) -> Array:
    """A reduced map on native grids, shape (..., 100, 300), on those of map codes, shape (..., 50, 150)."""
    over_energy = rebin(reduced, native_energy_edges(), map_energy_edges())
    return rebin(over_energy, native_q_edges(), map_q_edges(), axis=-2)


@dataclass(frozen=True, eq=False)
class MapCodes:
    """Reduced powder maps R = S·E/(n + 1) at the library's temperature, of one-phonon scattering of all kinds.

    Parameters
    ----------
    codes
        Shape (n_crystals, n_components).
    axes
        Maps that a code multiplies, shape (n_components, n_q, n_energy), in the scale of `mean`.
    mean
        The map of the code 0, shape (n_q, n_energy).
    displacements
        Mean-square displacement ⟨u²⟩ of the atoms of each crystal, weighted as they scatter, at the temperatures
        `MOTION`, shape (n_crystals, 10), Å².
    """

    codes: Array
    axes: Array
    mean: Array
    displacements: Array

    @classmethod
    def fit(cls, maps: Array, displacements: Array, n_components: int = N_COMPONENTS) -> MapCodes:
        """Codes of maps, shape (n_crystals, n_q, n_energy), each known but for its scale.

        Bins are scaled by the root of what is counted in them on average, for an equal number of neutrons of each
        crystal at low temperature, so that the code keeps what stands out of counting noise.
        """
        q, energy = centres(map_q_edges()), centres(map_energy_edges())
        counted = maps / energy
        flat = counted.reshape(len(maps), -1)
        shares = flat / flat.sum(axis=1, keepdims=True)
        mean = shares.mean(axis=0)
        scale = (np.sqrt(mean + RARE * mean.mean()).reshape(len(q), len(energy))).astype(np.float32)
        rows = (counted / scale).reshape(len(maps), -1).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        pca = PCA(min(n_components, len(rows) - 1, rows.shape[1]), random_state=0).fit(rows)
        shape = (-1, len(q), len(energy))
        back = scale * energy
        axes, middle = pca.components_.reshape(shape) * back, pca.mean_.reshape(shape)[0] * back
        return cls(pca.transform(rows), axes, middle, displacements)

    def decode(self, number: int) -> Array:
        """Reduced map of one crystal, shape (n_q, n_energy), but for its scale."""
        return np.asarray(self.mean + np.tensordot(self.codes[number], self.axes, axes=1))

    def warming(self, temperature: float, reference: float) -> Array:
        """How much more the atoms of each crystal move than at a reference temperature, ⟨u²⟩, shape (n_crystals,), Å².

        The Debye–Waller factor of scattering is exp(−Q² times a third of it), one mean factor for all atoms.
        """
        return self._motion(temperature) - self._motion(reference)

    def _motion(self, temperature: float) -> Array:
        after = min(max(int(np.searchsorted(MOTION, temperature)), 1), len(MOTION) - 1)
        low, high = MOTION[after - 1], MOTION[after]
        share = (temperature - low) / (high - low)
        return np.asarray((1 - share) * self.displacements[:, after - 1] + share * self.displacements[:, after])
