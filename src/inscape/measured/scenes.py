"""Powder maps to learn cleaning from: library spectra as a spectrometer would see them, before anything is counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from inscape.autoencoders.corruptions import (
    Background,
    Corruption,
    ElasticLine,
    KinematicMask,
    MissingBands,
    Poisson,
    ResolutionBlur,
)
from inscape.library import Library
from inscape.scattering import to_scattering
from inscape.spectra import centres, native_energy_edges, native_q_edges, rebin
from inscape.units import boltzmann

Array = NDArray[np.floating]

SHAPE = (48, 96)
"""Bins of |Q| and energy of a map to learn from."""

ENERGIES = (-0.5, 0.95)
"""Ends of its energy axis, in incident energies E_i."""

TEMPERATURES = (5.0, 600.0)
OVER_THE_TOP = (1.1, 2.5)
Q_WIDTHS = (0.08, 0.2)
"""Of maps to learn from: temperature, K, E_i in energies below which 99.9 % of the scattering lies, width of a |Q| bin,
1/Å; drawn on logarithmic scales."""

INSTRUMENTS = ("ARCS", "CNCS", "HYSPEC", "LET", "MAPS", "MARI", "MERLIN", "SEQUOIA")

SCENE: tuple[Corruption, ...] = (
    ResolutionBlur((0.3, 1.6)),
    ResolutionBlur((0.2, 1.0), axis=-2),
    Background(0.05, 0.03, share=0.5),
    ElasticLine(-ENERGIES[0] / (ENERGIES[1] - ENERGIES[0]), height=1000.0),
)
"""What belongs to a measurement without noise: to be kept, for only a measurement without the sample could tell it."""

COUNTING = Poisson((30.0, 3e6), uneven=1.0)
GAPS: tuple[Corruption, ...] = (KinematicMask(INSTRUMENTS, ENERGIES), MissingBands(1, 2, axis=-2), MissingBands(1, 1))
"""What is to be undone."""


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


def scenes(
    library: Library,
    names: Sequence[str],
    variants: int,
    seed: int,
    progress: Callable[[int, int, str], None] | None = None,
) -> NDArray[np.float32]:
    """Maps of crystals, ``variants`` each, shape (variants · n, 48 · 96); the same seed gives the same."""
    found = np.empty((variants, len(names), *SHAPE), np.float32)
    for number, name in enumerate(names):
        reduced = library.arrays(name, "powder")["powder"].astype(float)
        for variant in range(variants):
            digest = int(library.entries[name].digest[:8], 16)
            found[variant, number] = scene(reduced, np.random.default_rng([seed, variant, digest]))
        if progress is not None:
            progress(number + 1, len(names), name)
    return found.reshape(variants * len(names), -1)
