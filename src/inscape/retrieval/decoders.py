"""Linear decoders: from the codes of an index to the bins, temperature and resolution of a measurement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from inscape.index import Index
from inscape.index.maps import map_energy_edges, map_q_edges
from inscape.retrieval.measurements import Measurement
from inscape.scattering import Instrument, broadening_matrix
from inscape.spectra import centres, native_energy_edges, native_q_edges
from inscape.units import boltzmann, bose

Array = NDArray[np.floating]

WARMING_ERROR = 0.05
MOST_GROUPS = 64
"""Debye–Waller factors are rounded to groups of crystals in which S errs by at most this share, or to so many."""


class Decoder(ABC):
    """Model spectra of all crystals of an index on the bins of a measurement, each but for its scale."""

    @abstractmethod
    def products(self, measured: Measurement, smooth: Array) -> tuple[Array, Array, Array]:
        """Of each model, weighted: its product with the measurement, with itself, and with each background.

        Parameters
        ----------
        measured
            As the decoder was made for, but for its weights.
        smooth
            Backgrounds, shape (n_background, n_q, n_energy).

        Returns
        -------
        tuple
            Shapes (n_crystals,), (n_crystals,), (n_crystals, n_background).
        """

    @abstractmethod
    def spectrum(self, rows: NDArray[np.intp], scales: Array) -> Array:
        """Sum of the models of some crystals, by their numbers, each times a scale, on all bins, (n_q, n_energy)."""


def decoder(index: Index, measured: Measurement, stretch: float = 1.0) -> Decoder:
    """The decoder for a measurement, energies of the crystals multiplied by ``stretch``."""
    if measured.q_edges is not None:
        return MapDecoder(index, measured, stretch)
    native = stretch * native_energy_edges()
    matrix = _overlap(native, measured.energy_edges) @ _broadening(measured.instrument, native)
    return WholeDecoder(np.asarray((matrix @ index.dos.T).T)[:, None])


def whole_decoder(reduced: Array, measured: Measurement, stretch: float = 1.0) -> Decoder:
    """The decoder of whole reduced maps on native grids, shape (n_crystals, n_q, n_energy)."""
    assert measured.q_edges is not None
    over_energy = _to_scattering(measured, native_energy_edges(), stretch)
    over_q = _overlap(native_q_edges(), measured.q_edges)
    return WholeDecoder(np.stack([over_q @ (over_energy @ one.T).T for one in reduced]))


class WholeDecoder(Decoder):
    """Spectra that are there themselves.

    Parameters
    ----------
    models
        On the bins of the measurement, shape (n_crystals, n_q, n_energy).
    """

    def __init__(self, models: Array) -> None:
        self.models = models

    def products(self, measured: Measurement, smooth: Array) -> tuple[Array, Array, Array]:
        """As of `Decoder`."""
        w = measured.weights.ravel()
        models = self.models.reshape(len(self.models), w.size)
        beside = models @ (w * smooth.reshape(len(smooth), w.size)).T
        return models @ (w * measured.values.ravel()), models**2 @ w, beside

    def spectrum(self, rows: NDArray[np.intp], scales: Array) -> Array:
        """As of `Decoder`."""
        return np.asarray(np.tensordot(scales, self.models[rows], axes=1))


class MapDecoder(Decoder):
    """Powder maps, decoded from their codes."""

    def __init__(self, index: Index, measured: Measurement, stretch: float) -> None:
        assert measured.q_edges is not None
        maps = index.maps
        self.q = centres(measured.q_edges)
        self.codes = np.concatenate([np.ones((len(index), 1), np.float32), maps.codes.astype(np.float32)], axis=1)
        self.warming = maps.warming(measured.temperature, index.temperature)
        axes = np.concatenate([maps.mean[None], maps.axes]).astype(np.float32)
        n, n_q, n_energy = axes.shape
        over_energy = _to_scattering(measured, map_energy_edges(), stretch).astype(np.float32)
        seen = (over_energy @ axes.transpose(2, 1, 0).reshape(n_energy, -1)).reshape(-1, n_q, n)
        over_q = _overlap(map_q_edges(), measured.q_edges).astype(np.float32)
        self.axes = np.zeros((len(self.q), len(seen), n), np.float32)
        for row, column, share in zip(*over_q.tocoo().coords, over_q.tocoo().data, strict=True):
            self.axes[row] += share * seen[:, column]

    def products(self, measured: Measurement, smooth: Array) -> tuple[Array, Array, Array]:
        """As of `Decoder`."""
        n_q, _, n = self.axes.shape
        vectors, squares = np.zeros((n_q, n), np.float32), np.zeros((n_q, n, n), np.float32)
        mixed = np.zeros((n_q, n, len(smooth)), np.float32)
        for row, (axes, w, y) in enumerate(zip(self.axes, measured.weights, measured.values, strict=True)):
            use = np.flatnonzero(w)
            model = axes[use]
            weighted = model * w[use, None].astype(np.float32)
            vectors[row] = y[use].astype(np.float32) @ weighted
            squares[row] = weighted.T @ model
            mixed[row] = weighted.T @ smooth[:, row, use].T.astype(np.float32)
        along, square = np.zeros(len(self.codes)), np.zeros(len(self.codes))
        beside = np.zeros((len(self.codes), len(smooth)))
        for rows, warming in self._groups():
            damping = np.exp(-(self.q**2) * warming / 3).astype(np.float32)
            z = self.codes[rows]
            along[rows] = z @ (damping @ vectors)
            square[rows] = np.einsum("nk,nk->n", z @ np.tensordot(damping**2, squares, axes=1), z)
            beside[rows] = z @ np.tensordot(damping, mixed, axes=1)
        return along, square, beside

    def spectrum(self, rows: NDArray[np.intp], scales: Array) -> Array:
        """As of `Decoder`."""
        damping = np.exp(-np.outer(self.q**2, self.warming[rows]) / 3)
        return np.asarray(np.einsum("qek,qk->qe", self.axes, (damping * scales) @ self.codes[rows]))

    def _groups(self) -> Iterator[tuple[NDArray[np.intp], float]]:
        """Crystals whose atoms move about equally more than in the index, and how much: numbers, ⟨u²⟩ in Å²."""
        step = max(6 * WARMING_ERROR / self.q[-1] ** 2, float(np.ptp(self.warming)) / MOST_GROUPS)
        group = np.round(self.warming / step).astype(int)
        for number in np.unique(group):
            rows = np.flatnonzero(group == number)
            yield rows, float(self.warming[rows].mean())


def _to_scattering(measured: Measurement, energy_edges: Array, stretch: float) -> csr_array:
    """Matrix from reduced spectra on bins of energy to S on the bins of the measurement, gain included."""
    edges = stretch * energy_edges
    energy, wanted = centres(edges), centres(measured.energy_edges)
    factor = (bose(energy, measured.temperature) + 1) / energy
    balance = np.where(wanted < 0, boltzmann(np.abs(wanted), measured.temperature), 1.0)
    seen = _broadening(measured.instrument, edges) @ diags_array(factor)
    return csr_array(diags_array(balance) @ _overlap(edges, measured.energy_edges) @ seen)


def _broadening(instrument: Instrument | None, edges: Array) -> csr_array:
    """Matrix that broadens spectra on energy bins as an instrument does; without one, nothing."""
    energy, sigma = centres(edges), np.zeros(len(edges) - 1)
    if instrument is not None:
        possible = energy <= instrument.fixed_energy if instrument.kind == "direct" else energy > 0
        sigma[possible] = instrument.resolution(energy[possible])
    return broadening_matrix(edges, sigma)


def _overlap(old: Array, new: Array) -> csr_array:
    """Matrix that averages a density over other bins, shape (n_new, n_old); a bin below 0 takes what mirrors it.

    Bins across 0 are never compared, and get nothing where they are symmetric.
    """
    ends = np.sort(np.abs([new[:-1], new[1:]]), axis=0)
    shared = np.minimum(ends[1][:, None], old[1:]) - np.maximum(ends[0][:, None], old[:-1])
    width = (ends[1] - ends[0])[:, None]
    return csr_array(np.divide(shared.clip(0.0), width, out=np.zeros_like(shared), where=width > 0))
