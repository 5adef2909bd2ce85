"""How well each crystal of an index fits a measurement: weighted least squares for all of them at once.

A model spectrum is s·A z, with the code z of a crystal, its scale s, and A the linear decoder brought to the bins,
temperature and resolution of the measurement. With weights W (one over the variance, 0 where nothing was measured) the
scale that fits best is s = bᵀz / zᵀGz, b = AᵀWy, G = AᵀWA, and it lowers χ² = yᵀWy by (bᵀz)²/zᵀGz. b and G belong to
the measurement, not to a crystal: they are made once, and what is left is two products of matrices for all crystals.
A background, linear in a few parameters, is fitted along with each of them (the Schur complement).

Few counts do not know their own variance. So maps are fitted twice: the second time, variances are those of the counts
expected from the crystals that fitted best.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inscape.errors import DataError
from inscape.index import Index
from inscape.retrieval.decoders import Decoder, decoder, whole_decoder
from inscape.retrieval.measurements import Measurement
from inscape.spectra import centres

Array = NDArray[np.floating]

EXPECTING, EXPECTING_WHOLE = 30, 2
"""Crystals that fit best, from which counts are expected: by their codes, and by their whole maps."""


@dataclass(frozen=True, eq=False)
class Fit:
    """How well crystals fit.

    Parameters
    ----------
    measured
        What they were fitted to, with the weights that were used in the end.
    decoders
        What made the models, by the factor of energies.
    explained
        What each crystal lowers χ² by, shape (n_crystals,); 0 where only a negative scale would fit.
    total
        χ² of no crystal at all, the background fitted.
    scale, stretch
        Scale of each crystal, and factor of its energies, that fit best, shape (n_crystals,).
    n_free
        Bins less fitted parameters.
    """

    measured: Measurement
    decoders: Mapping[float, Decoder]
    explained: Array
    total: float
    scale: Array
    stretch: Array
    n_free: int

    @property
    def cosine(self) -> Array:
        """Cosine of the angle between measurement and model, each bin over its standard deviation: 1 is exact."""
        return np.asarray(np.sqrt(np.clip(self.explained / self.total, 0.0, 1.0)))

    @property
    def chi2(self) -> Array:
        """χ² per free bin of each crystal."""
        return np.asarray((self.total - self.explained) / self.n_free)

    @property
    def order(self) -> NDArray[np.intp]:
        """Numbers of the crystals, the best first."""
        return np.argsort(-self.explained, kind="stable")


def fit(index: Index, measured: Measurement, *, background: bool = False, stretches: Sequence[float] = (1.0,)) -> Fit:
    """Fit all crystals of an index to a measurement.

    Parameters
    ----------
    background
        Fit along a background that is the same everywhere, and in a powder map one that grows with Q².
    stretches
        Factors of energy to try for each crystal: potentials and warm crystals may be softer than those of the index.

    Raises
    ------
    DataError
        Fewer bins than parameters, or nothing but background.
    """
    decoders = {float(factor): decoder(index, measured, float(factor)) for factor in stretches}
    smooth = _background(measured, background)
    found = _fit(decoders, measured, smooth)
    if measured.q_edges is None:
        return found
    return _fit(decoders, measured.with_counts_expected(_expected(found, smooth, EXPECTING)), smooth)


def refit(found: Fit, reduced: Array, *, background: bool = False) -> Fit:
    """Fit whole reduced maps on native grids, shape (n, n_q, n_energy), with the factors of another fit.

    Its weights are used first; then those of the counts expected from the maps that fit best, for a bin in which one of
    two like crystals scatters and the other doesn't tells them apart only if it is known to be dark.
    """
    decoders = {factor: whole_decoder(reduced, found.measured, factor) for factor in found.decoders}
    smooth = _background(found.measured, background)
    first = _fit(decoders, found.measured, smooth)
    expected = _expected(first, smooth, EXPECTING_WHOLE)
    return _fit(decoders, found.measured.with_counts_expected(expected), smooth)


def fitted(found: Fit, number: int, *, background: bool = False) -> Array:
    """Spectrum of one crystal as it fits best, background included, shape (n_q, n_energy), on all bins."""
    model = found.decoders[float(found.stretch[number])].spectrum(np.array([number]), np.ones(1))
    return _least_squares(model, _background(found.measured, background), found.measured)


def spectrum_of(index: Index, measured: Measurement, number: int, stretch: float = 1.0) -> Array:
    """Spectrum of one crystal on the bins of a measurement, at its temperature, but for its scale."""
    return decoder(index, measured, stretch).spectrum(np.array([number]), np.ones(1))


def _fit(decoders: Mapping[float, Decoder], measured: Measurement, smooth: Array) -> Fit:
    y, w = measured.values, measured.weights
    n_free = measured.n_bins - len(smooth) - 1
    if n_free < 1:
        raise DataError(f"only {measured.n_bins} bins were measured; more are needed than parameters are fitted")
    inverse = np.linalg.pinv(np.einsum("aqe,bqe,qe->ab", smooth, smooth, w))
    seen = np.einsum("aqe,qe->a", smooth, w * y)
    total = float(np.sum(w * y**2) - seen @ inverse @ seen)
    if not total > 0:
        raise DataError("the background alone explains every bin: fit without it")
    tried = [_explained(one, measured, smooth, inverse, seen) for one in decoders.values()]
    explained, scale = (np.stack(part) for part in zip(*tried, strict=True))
    best = explained.argmax(axis=0), np.arange(explained.shape[1])
    return Fit(measured, decoders, explained[best], total, scale[best], np.array(list(decoders))[best[0]], n_free)


def _explained(one: Decoder, measured: Measurement, smooth: Array, inverse: Array, seen: Array) -> tuple[Array, Array]:
    """What each crystal lowers χ² by, and its scale; 0 where that is negative."""
    along, square, beside = one.products(measured, smooth)
    along = along - beside @ inverse @ seen
    square = square - np.einsum("na,ab,nb->n", beside, inverse, beside)
    scale = np.clip(along, 0.0, None) / np.where(square > 0, square, np.inf)
    return along * scale, scale


def _expected(found: Fit, smooth: Array, number: int) -> Array:
    """Mean of so many that fit best, as it fits with the background, shape (n_q, n_energy); not negative."""
    best = found.order[:number]
    mean = np.zeros(found.measured.values.shape)
    for factor, one in found.decoders.items():
        rows = best[found.stretch[best] == factor]
        mean += one.spectrum(rows, found.scale[rows])
    return _least_squares(mean, smooth, found.measured).clip(min=0.0)


def _least_squares(model: Array, smooth: Array, measured: Measurement) -> Array:
    """The scaled model and the background that fit best; the background alone where the scale would be negative."""
    root = np.sqrt(measured.weights)
    for columns in (np.concatenate([model[None], smooth]), smooth):
        design = (columns * root).reshape(len(columns), -1).T
        parameters = np.linalg.lstsq(design, (measured.values * root).ravel(), rcond=None)[0]
        if len(columns) == len(smooth) or parameters[0] >= 0:
            break
    return np.asarray(np.tensordot(parameters, columns, axes=1))


def _background(measured: Measurement, wanted: bool) -> Array:
    """Background of one height everywhere, and one that grows with Q², shape (0, 1 or 2, n_q, n_energy)."""
    flat = np.ones(measured.values.shape)
    if not wanted:
        return np.empty((0, *flat.shape))
    if measured.q_edges is None:
        return flat[None]
    return np.stack([flat, flat * centres(measured.q_edges)[:, None] ** 2])
