"""How spectra without noise become measured ones, to learn from: what is added to them, what is missing, counting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inscape.autoencoders.corruptions import Corruption, Poisson, apply
from inscape.library import Library

Array = NDArray[np.floating]

DARK = 0.01
"""The noise of a bin is taken to be at least that of this share of the mean."""

FIRST = 4
"""Bins of energy by which the factor below begins beyond 0."""


@dataclass(frozen=True)
class Counting:
    """How spectra are counted.

    Parameters
    ----------
    poisson
        Counts in a spectrum, and how unevenly its bins are watched.
    subtracted
        Largest background that is counted and then subtracted, in means of the spectrum; each has its own.
    power
        Greatest power of the energy that what is counted is divided by against the spectrum, as the scattering of
        phonons is against their density of states; each has its own.
    """

    poisson: Poisson
    subtracted: float = 0.0
    power: float = 0.0

    def __call__(self, true: Tensor, lost: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Spectra as measured, their variances as stated and as expected, shape (m, n_q, n_energy); NaN where lost."""
        m, n_q, n_energy = true.shape
        mean = true.mean((1, 2), keepdim=True)
        level, power = torch.rand(2, m, 1, 1) if self.subtracted or self.power else torch.zeros(2, m, 1, 1)
        background = self.subtracted * level**2 * mean
        factor = ((torch.arange(n_energy) + FIRST) / n_energy) ** (-self.power * power)
        seen = (factor * (true + background)).masked_fill(lost, torch.nan)
        counted, unit = (x.view(true.shape) for x in self.poisson.measure(seen.flatten(1), (n_q, n_energy)))
        values, unit = counted / factor, unit / factor
        return values - background, values * unit, (true + background + DARK * mean) * unit


@dataclass(frozen=True)
class Scenes:
    """What a network for one kind of spectrum learns from.

    Parameters
    ----------
    axes
        2 for maps; 1 for spectra, maps of one row.
    shape, crop
        Bins of |Q| and energy of a spectrum, and energies of it that are looked at in a step of training.
    make
        From a library, the name of a crystal and random numbers to a spectrum of mean 1 without noise, shape ``shape``.
    added
        What belongs to a measurement without noise, to be kept: only one without the sample could tell it.
    gaps, counting
        What is to be undone.
    """

    axes: int
    shape: tuple[int, int]
    crop: int
    make: Callable[[Library, str, np.random.Generator], Array]
    added: tuple[Corruption, ...]
    gaps: tuple[Corruption, ...]
    counting: Counting

    def spectra(
        self,
        library: Library,
        names: Sequence[str],
        variants: int,
        seed: int,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> NDArray[np.float32]:
        """Of crystals, ``variants`` each, shape (variants · n, n_q · n_energy); the same seed gives the same."""
        found = np.empty((variants, len(names), *self.shape), np.float32)
        for number, name in enumerate(names):
            digest = int(library.entries[name].digest[:8], 16)
            for variant in range(variants):
                found[variant, number] = self.make(library, name, np.random.default_rng([seed, variant, digest]))
            if progress is not None:
                progress(number + 1, len(names), name)
        return found.reshape(variants * len(names), -1)

    def measured(self, rows: Tensor, dose: float | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """True spectra, measured ones, their variances as stated and as expected, shape (m, n_q, `crop`).

        Parameters
        ----------
        rows
            Of `spectra`.
        dose
            Counts in each spectrum, instead of random ones.
        """
        true = apply(self.added, rows, self.shape).clamp_min(0)  # a sloped background may fall below 0
        lost = torch.isnan(apply(self.gaps, true, self.shape))
        start = int(torch.randint((self.shape[1] - self.crop) // 2 + 1, ())) * 2
        window = slice(start, start + self.crop)
        true, lost = (x.view(-1, *self.shape)[:, :, window] for x in (true, lost))
        lost = lost & ~lost.flatten(1).all(dim=1)[:, None, None]  # a spectrum with nothing in it is taken whole
        counting = self.counting
        if dose is not None:
            counting = replace(counting, poisson=replace(counting.poisson, dose=dose))
        return (true, *counting(true, lost))
