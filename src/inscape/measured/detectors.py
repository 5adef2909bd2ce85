"""From spectra of detectors at angles to a powder map over |Q|, and back, with area and variance kept.

A detector of scattering angles 2θ₁ to 2θ₂ covers, at an energy transfer, the |Q| from Q(2θ₁) to Q(2θ₂). What it holds
is shared out to the bins by the part of that range in each; a share f of a content has the share f of its variance, as
of counts. So neither the content of all bins nor its variance depends on the bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inscape.errors import DataError, GridError
from inscape.scattering import momentum_transfer
from inscape.spectra import centres, check_edges
from inscape.units import HBAR2_2MN

Array = NDArray[np.floating]

BINS = 100
"""About so many bins reach to the largest |Q| of elastic scattering, if none are asked for."""

MOST_BINS = 20_000
"""More bins of |Q| are refused."""

FINE = 4
"""Angles of made-up detectors are so many times finer than the bins of a map, at the elastic line."""


@dataclass(frozen=True, eq=False)
class Detectors:
    """Spectra of detectors.

    Parameters
    ----------
    intensity, variance
        S of each detector, shape (n_detectors, n_energy), NaN where a detector is masked.
    two_theta, width
        Scattering angle and the range of it that each covers, shape (n_detectors,), degrees.
    energy_edges
        Bin edges, shape (n_energy + 1,), meV, loss positive.
    fixed_energy
        E_i of direct or E_f of indirect geometry, meV; for the latter one for all detectors or one for each.
    direct
        Which of the two.
    """

    intensity: Array
    variance: Array
    two_theta: Array
    width: Array
    energy_edges: Array
    fixed_energy: Array
    direct: bool

    def __post_init__(self) -> None:
        count = len(self.intensity)
        if self.two_theta.shape != (count,) or self.width.shape != (count,):
            raise DataError(f"there are {count} spectra and {self.two_theta.size} angles; expected one for each")
        if not np.all(np.isfinite(self.two_theta)) or np.any(self.two_theta < 0) or np.any(self.two_theta > 180):
            raise DataError("scattering angles must be finite and from 0 to 180 degrees; the file holds others")
        if self.fixed_energy.size not in (1, count):
            raise DataError(f"there are {count} spectra and {self.fixed_energy.size} fixed energies")
        if not np.all(np.isfinite(self.fixed_energy) & (self.fixed_energy > 0)):
            raise DataError("the file names no fixed energy that is finite and positive: give incident_energy")


def to_map(detectors: Detectors, q_edges: Array | None = None) -> tuple[Array, Array, Array]:
    """Intensity and variance over (q, energy), and the edges of q.

    Parameters
    ----------
    q_edges
        Bin edges, 1/Å; about `BINS` of a round width unless given.

    Returns
    -------
    intensity, variance
        Shape (n_q, n_energy), NaN where no detector is. At each energy Σ_b c_b S_b = Σ_i w_i S_i, with c_b the sum of
        what the detectors cover of bin b and w_i the range of detector i; and Σ_b c_b² var_b = Σ_i w_i² var_i.
    q_edges
        Shape (n_q + 1,).

    Raises
    ------
    GridError
        No neutron of that energy can make any of the transfers.
    """
    energy = centres(check_edges(detectors.energy_edges, name="energy"))
    low, high = _ranges(detectors)
    edges = round_edges(detectors, energy) if q_edges is None else check_edges(q_edges, name="|Q|")
    intensity = np.full((len(edges) - 1, len(energy)), np.nan)
    variance = intensity.copy()
    for column, loss in enumerate(energy):
        before, after = _energies(detectors, loss)
        use = np.isfinite(detectors.intensity[:, column]) & (before > 0) & (after > 0)
        if use.any():
            ends = [momentum_transfer(before[use], after[use], angle[use]) for angle in (low, high)]
            values, squares = detectors.intensity[use, column], detectors.variance[use, column]
            intensity[:, column], variance[:, column] = share_out(values, squares, *ends, edges)
    if np.isnan(intensity).all():
        raise GridError(
            f"no detector reaches a bin: energies go from {energy[0]:g} to {energy[-1]:g} meV, the fixed energy is "
            f"{float(detectors.fixed_energy.flat[0]):g} meV"
        )
    return intensity, variance, edges


def of_map(intensity: Array, variance: Array, q_edges: Array, energy_edges: Array, incident: float) -> Detectors:
    """Detectors of direct geometry that would show this map, each angle of them once; the inverse of `to_map`.

    Returns
    -------
    Detectors
        Angles are `FINE` times finer than the bins; a map that is read again on its own bins is the same, but for what
        detectors across the ends of bins mix.
    """
    wave_vector = np.sqrt(incident / HBAR2_2MN)
    step = np.rad2deg(float(np.diff(q_edges).min()) / wave_vector / FINE)
    angles = np.linspace(0.0, 180.0, int(np.ceil(180.0 / step)) + 1)
    energy = centres(energy_edges)
    seen = np.full((len(angles) - 1, len(energy)), np.nan)
    squares = seen.copy()
    for column, loss in enumerate(energy):
        known = np.isfinite(intensity[:, column])
        if loss < incident and known.any():
            edges = momentum_transfer(incident, incident - loss, angles)
            pieces = intensity[known, column], variance[known, column], q_edges[:-1][known], q_edges[1:][known]
            seen[:, column], squares[:, column] = share_out(*pieces, edges)
    reached = np.isfinite(seen).any(axis=1)
    return Detectors(
        seen[reached],
        squares[reached],
        centres(angles)[reached],
        np.diff(angles)[reached],
        energy_edges,
        np.array([incident]),
        direct=True,
    )


def share_out(values: Array, variances: Array, low: Array, high: Array, edges: Array) -> tuple[Array, Array]:
    """Densities on ranges from ``low`` to ``high``, shared out to bins, and their variances.

    Parameters
    ----------
    values, variances
        Shape (n,).
    low, high
        Ends of the ranges, shape (n,); they may overlap.
    edges
        Bin edges, shape (m + 1,), increasing.

    Returns
    -------
    tuple
        Two arrays of shape (m,); NaN where no range is.
    """
    count = len(edges) - 1
    width = high - low
    first = np.searchsorted(edges, low, side="right") - 1
    last = np.searchsorted(edges, high, side="left") - 1
    covered, content, square = np.zeros(count), np.zeros(count), np.zeros(count)
    for step in range(int((last - first).max(initial=-1)) + 1):
        number = first + step
        use = (number <= last) & (number >= 0) & (number < count)
        into = number[use]
        overlap = np.maximum(np.minimum(high[use], edges[into + 1]) - np.maximum(low[use], edges[into]), 0.0)
        covered += np.bincount(into, overlap, count)
        content += np.bincount(into, overlap * values[use], count)
        square += np.bincount(into, overlap * width[use] * variances[use], count)
    reached = covered > 1e-9 * np.diff(edges)
    safe = np.where(reached, covered, np.nan)
    return content / safe, square / safe**2


def round_edges(detectors: Detectors, energy: Array) -> Array:
    """Edges from 0 to the largest |Q| that a detector reaches, in steps of 1, 2 or 5 times a power of ten."""
    largest = 0.0
    _, high = _ranges(detectors)
    for loss in (energy[0], energy[-1]):
        before, after = _energies(detectors, loss)
        found = momentum_transfer(np.maximum(before, 0), np.maximum(after, 0), high)
        largest = max(largest, float(found.max(initial=0.0)))
    elastic = 2 * float(np.sqrt(detectors.fixed_energy.max() / HBAR2_2MN))
    power = 10.0 ** np.floor(np.log10(elastic / BINS))
    step = next(x * power for x in (1, 2, 5, 10) if x * power >= elastic / BINS)
    count = int(np.ceil(largest / step))
    if not 0 < count <= MOST_BINS:
        raise GridError(f"detectors reach |Q| = {largest:g} 1/Å; give q_edges that suit")
    return step * np.arange(count + 1)


def _ranges(detectors: Detectors) -> tuple[Array, Array]:
    """Ends of the angles that each detector covers; where no width is known, the mean distance of angles stands."""
    width = np.where(np.isfinite(detectors.width) & (detectors.width > 0), detectors.width, 0.0)
    if not width.all():
        different = np.unique(detectors.two_theta.round(3))
        spacing = np.ptp(different) / (len(different) - 1) if len(different) > 1 else 1.0
        width = np.where(width > 0, width, spacing)
    ends = detectors.two_theta - width / 2, detectors.two_theta + width / 2
    return np.clip(ends[0], 0.0, 180.0), np.clip(ends[1], 0.0, 180.0)


def _energies(detectors: Detectors, loss: float) -> tuple[Array, Array]:
    """Energies before and after, of each detector, meV; one below 0 is impossible."""
    fixed = np.broadcast_to(detectors.fixed_energy, detectors.two_theta.shape)
    return (fixed, fixed - loss) if detectors.direct else (fixed + loss, fixed)
