"""What was measured, and how sure each bin is: bins that no detector saw have no weight."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from inscape.errors import DataError
from inscape.scattering import Instrument
from inscape.spectra import NATIVE_ENERGY_MAX, centres, check_edges, native_q_edges

Array = NDArray[np.floating]

LOWEST = 1.0
ELASTIC_SHARE = 0.06
"""Energies are compared above this, meV, and above this share of the incident energy, where elastic scattering ends."""

NEIGHBOURS, FAR = 2.0, 8.0
FLOOR, EXPECTED_FLOOR = 0.05, 0.2
"""Variances are smoothed over so many bins, and raised by this share of their mean: what counts say of their own
variance is as noisy as they are, and a bin without a count is not certain to be dark. The second of each is for counts
that are expected, not measured."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """A powder map, or a density of states as a map of one row.

    Parameters
    ----------
    values
        Shape (n_q, n_energy), any unit; 0 where `weights` are.
    weights
        One over the variance, shape (n_q, n_energy); 0 where nothing was measured or nothing is compared.
    variance
        As it came with the data, or the intensity where it did not, shape (n_q, n_energy); 0 where `weights` are.
    energy_edges
        Shape (n_energy + 1,), meV, loss positive.
    q_edges
        Shape (n_q + 1,), 1/Å; None for a density of states.
    temperature
        Of a map, K.
    noise_known
        Whether variances came with the data; otherwise they are as if the intensities were counts.
    instrument
        Whose resolution the spectrum has.
    """

    values: Array
    weights: Array
    variance: Array
    energy_edges: Array
    q_edges: Array | None
    temperature: float
    noise_known: bool
    instrument: Instrument | None = None

    @property
    def n_bins(self) -> int:
        """Bins that are compared."""
        return int(np.count_nonzero(self.weights))

    def with_counts_expected(self, expected: Array) -> Measurement:
        """The same with variances proportional to an expected intensity, shape (n_q, n_energy), none negative.

        The variance of a unit of intensity, 1 for counts, is averaged over `FAR` bins; where there is little intensity,
        over all of them.
        """
        use = self.weights > 0
        mean = float(expected[use].mean())
        if not mean > 0:
            return self
        raised = np.where(use, expected + EXPECTED_FLOOR * mean, 0.0)
        overall = float(self.variance[use].sum() / raised[use].sum())
        gain = (_average(self.variance, use, FAR) + overall * mean) / (_average(raised, use, FAR) + mean)
        return replace(self, weights=np.where(use, 1 / np.where(use, gain * raised, 1.0), 0.0))


def measurement(
    spectrum: xr.Dataset,
    *,
    temperature: float | None = None,
    lowest: float | None = None,
    highest_q: float | None = None,
    instrument: Instrument | None = None,
) -> Measurement:
    """A measurement from the container of powder maps and densities of states.

    Parameters
    ----------
    spectrum
        ``intensity`` (q, energy) or (energy), NaN where not measured; ``variance``, the same, NaN where unknown;
        ``energy_edges`` and ``q_edges``; attributes ``temperature_K`` and ``incident_energy_meV`` where they are known.
    temperature
        Of a powder map, K, instead of that in the file.
    lowest
        Energies whose absolute value is below this are left out, meV; `LOWEST` unless given, or `ELASTIC_SHARE` of the
        incident energy if that is more; nothing of a density of states.
    highest_q
        |Q| above this are left out, 1/Å.
    instrument
        Whose resolution the spectrum has.

    Raises
    ------
    DataError
        No intensity, negative variances, no temperature, or nothing to compare.
    """
    if "intensity" not in spectrum or spectrum["intensity"].dims not in {("q", "energy"), ("energy",)}:
        raise DataError("the spectrum has no intensity over (q, energy) or (energy): read it with inscape.read")
    is_map = spectrum["intensity"].ndim == 2
    values = np.atleast_2d(np.asarray(spectrum["intensity"].values, dtype=float))
    variance = np.full_like(values, np.nan)
    if "variance" in spectrum:
        variance = np.atleast_2d(np.asarray(spectrum["variance"].values, dtype=float))
    energy = check_edges(spectrum["energy_edges"].values, name="energy")
    q = check_edges(spectrum["q_edges"].values, name="|Q|") if is_map else None
    if is_map and temperature is None:
        if "temperature_K" not in spectrum.attrs:
            raise DataError("the temperature of the powder map is not known: give it, --temperature in K")
        temperature = float(spectrum.attrs["temperature_K"])
    if lowest is None:
        incident = float(spectrum.attrs.get("incident_energy_meV", 0.0))
        lowest = max(LOWEST, ELASTIC_SHARE * incident) if is_map else 0.0
    highest = min(native_q_edges()[-1], np.inf if highest_q is None else highest_q)
    use = np.isfinite(values) & _comparable(energy, q, lowest, highest)
    noise_known = bool(np.isfinite(variance[use]).any())
    if noise_known:
        use &= np.isfinite(variance)
    if not use.any() or not np.any(values[use] > 0):
        raise DataError(
            f"no measured intensity above 0 from {lowest:g} to {NATIVE_ENERGY_MAX:g} meV and up to "
            f"{highest:g} 1/Å, which is what can be compared"
        )
    if noise_known and np.any(variance[use] < 0):
        raise DataError(
            f"{int(np.sum(variance[use] < 0))} variances are negative: errors were not squared, or data are bad"
        )
    noise = np.where(use, variance if noise_known else np.abs(values), 0.0)
    mean = float(noise[use].mean())
    if not mean > 0:
        raise DataError("all variances are 0: give those that were measured, or none (NaN)")
    weights = np.where(use, 1 / (_average(noise, use, NEIGHBOURS) + FLOOR * mean), 0.0)
    return Measurement(
        np.where(use, values, 0.0), weights, noise, energy, q, float(temperature or 0.0), noise_known, instrument
    )


def _comparable(energy: Array, q: Array | None, lowest: float, highest_q: float) -> NDArray[np.bool_]:
    """Bins that an index knows, shape (1 or n_q, n_energy): within its grids, and not elastic."""
    low, high = energy[:-1], energy[1:]
    if q is None:
        return ((low >= lowest - 1e-9) & (high <= NATIVE_ENERGY_MAX))[None]
    away = np.abs(centres(energy)) >= lowest
    one_side = (low >= -1e-9) | (high <= 1e-9)
    inside = (np.abs(low) <= NATIVE_ENERGY_MAX) & (np.abs(high) <= NATIVE_ENERGY_MAX)
    known = (q[:-1] >= 0) & (q[1:] <= highest_q + 1e-9)
    return np.asarray(known[:, None] & (away & one_side & inside))


def _average(values: Array, use: NDArray[np.bool_], bins: float) -> Array:
    """Average over measured neighbours by a Gaussian, so many bins wide; ``values`` are 0 elsewhere."""
    width = tuple(bins if n > 1 else 0.0 for n in use.shape)
    near = gaussian_filter(use.astype(float), width, mode="constant")
    return np.asarray(gaussian_filter(values, width, mode="constant") / np.where(use, near, 1.0))
