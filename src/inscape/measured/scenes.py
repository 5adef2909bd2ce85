"""What cleaning is learned from: powder maps of a library as spectrometers see them, and its densities of states."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from inscape.autoencoders.corruptions import (
    Background,
    ElasticLine,
    KinematicMask,
    MissingBands,
    Poisson,
    ResolutionBlur,
)
from inscape.library import Library
from inscape.measured.container import DOS, MAP
from inscape.measured.observing import Counting, Scenes
from inscape.scattering import scattering_lengths, to_scattering
from inscape.spectra import centres, native_energy_edges, native_q_edges, rebin
from inscape.units import boltzmann

Array = NDArray[np.floating]

SHAPE, N_BINS = (48, 96), 160
"""Bins of |Q| and energy of a map, and of energy of a density of states, to learn from."""

ENERGIES = (-0.5, 0.95)
"""Ends of its energy axis, in incident energies E_i."""

TEMPERATURES = (5.0, 600.0)
OVER_THE_TOP = (1.1, 2.5)
Q_WIDTHS = (0.08, 0.2)
"""Of maps to learn from: temperature, K, E_i in energies below which 99.9 % of the scattering lies, width of a |Q| bin,
1/Å; drawn on logarithmic scales."""

ENDS = (1.05, 2.0)
"""Of densities of states to learn from: end of the energy axis, likewise."""

INSTRUMENTS = ("ARCS", "CNCS", "HYSPEC", "LET", "MAPS", "MARI", "MERLIN", "SEQUOIA")


def scene(reduced: Array, rng: np.random.Generator) -> Array:
    """One map of expected counts, of mean 1, shape `SHAPE`, from reduced scattering on the native grid.

    Temperature, incident energy, bins of |Q|, a share of incoherent scattering (the mean over |Q|, times Q² and a
    Debye–Waller factor), and the strength of two-phonon scattering (the self-convolution of the mean spectrum, growing
    with Q² against one phonon) are random.

    Parameters
    ----------
    reduced
        R over Q², shape (n_q, n_energy) of the native grids, barn sr⁻¹ Å².
    """
    q, edges = centres(native_q_edges()), native_energy_edges()
    energy = centres(edges)
    mean = reduced[10:].mean(axis=0)
    area = np.cumsum(mean * np.diff(edges))
    top = float(edges[1 + np.searchsorted(area, 0.999 * area[-1])])
    incident, kelvin, width = (_between(*ends, rng) for ends in (OVER_THE_TOP, TEMPERATURES, Q_WIDTHS))
    incident *= top
    share, two_phonons, displacement = rng.random() ** 2, 0.6 * rng.random() ** 2, _between(0.003, 0.03, rng)
    debye_waller = np.exp(-displacement * q**2)[:, None]
    loss = to_scattering((1 - share) * reduced + share * mean * debye_waller, energy, kelvin) * q[:, None] ** 2
    gain = loss * boltzmann(energy, kelvin)
    signed = np.concatenate([-edges[:0:-1], edges])
    wanted = incident * np.linspace(*ENERGIES, SHAPE[1] + 1)
    one = rebin(np.concatenate([gain[:, ::-1], loss], axis=1), signed, wanted)
    spectrum = one.sum(axis=0)
    zero = -ENERGIES[0] / (ENERGIES[1] - ENERGIES[0]) * SHAPE[1]
    both = np.interp(np.arange(SHAPE[1]) + zero, np.arange(2 * SHAPE[1] - 1), np.convolve(spectrum, spectrum))
    one += two_phonons * (q[:, None] / q[-1]) ** 2 * one.sum(axis=1, keepdims=True) * both / both.sum()
    start = rng.uniform(0.0, native_q_edges()[-1] - SHAPE[0] * width)
    found = rebin(one, native_q_edges(), start + width * np.arange(SHAPE[0] + 1), axis=0)
    return np.asarray(found / found.mean(), dtype=np.float32)


def _between(low: float, high: float, rng: np.random.Generator) -> float:
    return float(low * (high / low) ** rng.random())


def powder(library: Library, name: str, rng: np.random.Generator) -> Array:
    """A map of expected counts, as `scene`, of a crystal of a library."""
    return scene(library.arrays(name, "powder")["powder"].astype(float), rng)


def density_of_states(library: Library, name: str, rng: np.random.Generator) -> Array:
    """A density of states on even bins from 0 on, of mean 1, shape (1, `N_BINS`).

    Of all atoms alike or, as neutrons see them, each with its cross section over its mass; where it ends is random.
    """
    partial = library.arrays(name, "partial_dos")["partial_dos"].astype(float)
    weights = np.ones(len(partial))
    if rng.random() < 0.5:
        crystal = library.crystal(name)
        weights = scattering_lengths(crystal).square("coherent-plus-incoherent") / crystal.masses
    edges = native_energy_edges()
    area = np.concatenate([[0.0], np.cumsum((weights @ partial) * np.diff(edges))])
    end = edges[np.searchsorted(area, 0.999 * area[-1])] * _between(*ENDS, rng)
    wanted = np.linspace(0.0, end, N_BINS + 1).clip(max=edges[-1])
    found = np.diff(PchipInterpolator(edges, area)(wanted)).clip(min=0.0)[None]  # smooth where bins are the finer ones
    return np.asarray(found / found.mean(), dtype=np.float32)


SCENES = {
    MAP: Scenes(
        axes=2,
        shape=SHAPE,
        crop=64,
        make=powder,
        added=(
            ResolutionBlur((0.3, 1.6)),
            ResolutionBlur((0.2, 1.0), axis=-2),
            Background(0.05, 0.03, share=0.5),
            ElasticLine(-ENERGIES[0] / (ENERGIES[1] - ENERGIES[0]), height=1000.0),
        ),
        gaps=(KinematicMask(INSTRUMENTS, ENERGIES), MissingBands(1, 2, axis=-2), MissingBands(1, 1)),
        counting=Counting(Poisson((30.0, 3e6), uneven=1.0)),
    ),
    DOS: Scenes(
        axes=1,
        shape=(1, N_BINS),
        crop=112,
        make=density_of_states,
        added=(ResolutionBlur((0.7, 4.0)), Background(0.1, 0.05, share=0.3)),
        gaps=(MissingBands(1, 16, share=0.3), MissingBands(2, 4, share=0.3), MissingBands(1, 1)),
        counting=Counting(Poisson((30.0, 1e7), uneven=1.0), subtracted=1.0, power=1.5),
    ),
}
"""By the kind of spectrum."""
