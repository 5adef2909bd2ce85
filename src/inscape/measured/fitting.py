"""Theory laid over a measured map: brought to its bins, seen through the instrument, scale and background fitted.

The measured intensity is taken to be m(Q,E) = a·t(Q,E) + Σ_k b_k P_k(x), where t is theory as the instrument shows it
and P_k are Legendre polynomials in energy, x from −1 to 1 over the range of the fit: a background that is the same at
all |Q|, as multiple scattering is in the mean. a and b_k follow from weighted linear least squares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.polynomial import legendre
from numpy.typing import NDArray

from inscape.errors import DataError
from inscape.measured.container import DOS, KINDS, check_measured
from inscape.properties import complete_dos
from inscape.results import Prediction
from inscape.scattering import Instrument, with_energy_gain
from inscape.spectra import rebin, whole_powder

Array = NDArray[np.floating]

GAIN = 0.4
"""Theory is continued to this share of E_i of energy gain, so that the elastic side is broadened from both sides."""

ELASTIC = 3.0
"""Energies within so many FWHM of the elastic line are left out, unless a range is given: theory has no such line."""

HIGHEST = 0.9
"""Energies above this share of E_i are left out, unless a range is given: detectors see slow neutrons badly."""

PLAIN_ELASTIC = 0.1
"""Energies below this share of the highest are left out too, for an instrument whose width is not known."""

MOST_TERMS = 10


@dataclass(frozen=True, eq=False)
class Fit:
    """Theory fitted to a measurement.

    Parameters
    ----------
    scale, scale_error
        Factor of theory, and its standard deviation from the variances of the measurement alone: where
        ``reduced_chi_square`` is far from 1, theory does not describe the data and the error means little.
    background, background_errors
        Coefficients of the Legendre polynomials, shape (n_terms,).
    reduced_chi_square
        χ² by degree of freedom; NaN where the variances are not known. Errors then follow from the residuals.
    n_bins
        Number of bins fitted.
    energy_range
        First and last energy of the fit, meV.
    spectra
        On the grid of the measurement: ``intensity``, ``variance``, ``theory`` (scaled, without background),
        ``background``, ``model`` (both) and ``residual`` in standard deviations, NaN where nothing was fitted; edges.
    notes
        What is to be known, in sentences.
    """

    scale: float
    scale_error: float
    background: Array
    background_errors: Array
    reduced_chi_square: float
    n_bins: int
    energy_range: tuple[float, float]
    spectra: xr.Dataset
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Figures and notes, for JSON, which has no NaN: None stands for it."""
        chi = self.reduced_chi_square
        return {
            "scale": self.scale,
            "scale_error": self.scale_error,
            "background": self.background.tolist(),
            "background_errors": self.background_errors.tolist(),
            "reduced_chi_square": chi if np.isfinite(chi) else None,
            "bins": self.n_bins,
            "energy_range_meV": list(self.energy_range),
            "notes": self.notes,
        }


def fit_theory(
    measured: xr.Dataset,
    theory: Prediction,
    *,
    instrument: Instrument | None = None,
    background: int = 1,
    energy_range: tuple[float, float] | None = None,
    q_range: tuple[float, float] | None = None,
) -> Fit:
    """Fit the scale of a prediction or simulation, and a background, to a measured spectrum.

    Parameters
    ----------
    measured
        As from `inscape.read`.
    theory
        With a powder map, many phonons included if it holds them, or for a measured density of states with one.
    instrument
        Broadens theory in energy.
    background
        Degree of the polynomial in energy; −1 for none.
    energy_range
        First and last energy of the fit, meV; unless given, from `ELASTIC` FWHM up to where theory
        ends, or to `HIGHEST` of E_i.
    q_range
        First and last |Q| of the fit, 1/Å.

    Raises
    ------
    DataError
        No spectrum of this kind in ``theory``, an impossible degree, or too few bins to fit.
    InstrumentError
        An instrument whose widths are not known at these energies.
    """
    measured = check_measured(measured)
    if not -1 <= background < MOST_TERMS:
        raise DataError(f"the background has degree {background}; expected −1, for none, to {MOST_TERMS - 1}")
    expected = theory_on_bins(measured, theory, instrument)
    low, high = energy_range or _default_range(measured, expected, instrument)
    use, notes = _used(measured, expected, (low, high), q_range)
    notes += _unlike(measured, theory.dataset)
    x = (2 * measured["energy"].values - low - high) / (high - low)
    terms = legendre.legvander(x, max(background, 0))[:, : background + 1]
    values, variance = measured["intensity"].values[use], measured["variance"].values[use]
    known = bool(np.isfinite(variance).all())
    sigma = np.sqrt(variance) if known else np.ones_like(values)
    design = np.stack([expected[use], *(np.broadcast_to(term, use.shape)[use] for term in terms.T)], axis=1)
    found, errors, chi_square = _least_squares(design / sigma[:, None], values / sigma)
    if not known:
        sigma, errors = sigma * np.sqrt(chi_square), errors * np.sqrt(chi_square)
        notes.append("the variances of the measurement are not known: all bins weigh the same")
    if found[0] <= 0:
        notes.append("the scale is not positive: this theory is not in the data")
    residual = np.full(use.shape, np.nan)
    residual[use] = (values - design @ found) / sigma
    spectra = _spectra(measured, found[0] * expected, terms @ found[1:], residual)
    spectra.attrs = {name: theory.dataset.attrs[name] for name in ("formula", "temperature_K")}
    spectra.attrs |= instrument.attributes() if instrument is not None else {}
    return Fit(
        float(found[0]),
        float(errors[0]),
        found[1:],
        errors[1:],
        chi_square if known else float("nan"),
        int(use.sum()),
        (low, high),
        spectra,
        notes,
    )


def _spectra(measured: xr.Dataset, theory: Array, background: Array, residual: Array) -> xr.Dataset:
    """Measurement and fit on the same grid, as of `Fit`."""
    dims = KINDS[measured.attrs["kind"]]
    spectra = measured[["intensity", "variance", *(f"{dim}_edges" for dim in dims)]].copy()
    background = np.broadcast_to(background, theory.shape)
    for name, array in (("theory", theory), ("background", background), ("model", theory + background)):
        spectra[name] = (dims, array, {"units": measured["intensity"].attrs["units"]})
    spectra["residual"] = (dims, residual, {"units": "σ"})
    return spectra


def theory_on_bins(measured: xr.Dataset, theory: Prediction, instrument: Instrument | None = None) -> Array:
    """Theory as the instrument shows it, mean over each bin of a measurement; NaN in bins that it does not cover.

    Energy gain follows by detailed balance, at the temperature of the theory. Areas are kept.
    """
    dataset, bins = theory.dataset, measured["energy_edges"].values
    if measured.attrs["kind"] == DOS:
        values, edges = complete_dos(dataset) if "dos" in dataset else (None, None)
        if values is None or edges is None:
            raise DataError("the theory holds no density of states; make it with the kind 'dos'")
        if instrument is not None:
            values = instrument.broaden(values, edges)
        covered = bins[:-1] >= min(edges[0], bins[0])  # above its highest mode a density of states is 0
        return np.where(covered, rebin(values, edges, bins), np.nan)
    if "powder" not in dataset:
        raise DataError("the theory holds no powder map; make it with the kind 'powder'")
    powder = whole_powder(dataset).values.astype(float)
    q, edges = dataset["q_edges"].values, dataset["energy_edges"].values
    signed = _signed(edges, instrument)
    powder = with_energy_gain(powder, signed, float(dataset.attrs["temperature_K"]))
    if instrument is not None:
        powder = instrument.broaden(powder, signed)
    q_bins = measured["q_edges"].values
    found = rebin(rebin(powder, signed, bins), q, q_bins, axis=0)
    found[(q_bins[:-1] < q[0] - 1e-6) | (q_bins[1:] > q[-1] + 1e-6)] = np.nan
    found[:, (bins[:-1] < signed[0] - 1e-6) | (bins[1:] > signed[-1] + 1e-6)] = np.nan
    return found


def _unlike(measured: xr.Dataset, theory: xr.Dataset) -> list[str]:
    """Sentences about what theory lacks or has otherwise."""
    if measured.attrs["kind"] == DOS:
        return []
    notes = []
    kelvin = float(measured.attrs.get("temperature_K", theory.attrs["temperature_K"]))
    if abs(kelvin - theory.attrs["temperature_K"]) > 1:
        notes.append(f"measured at {kelvin:g} K, the theory is at {float(theory.attrs['temperature_K']):g} K")
    if "powder_multiphonon" not in theory:
        notes.append("the theory is of one phonon only; make it with many phonons (--multiphonon)")
    return notes


def _signed(edges: Array, instrument: Instrument | None) -> Array:
    """Edges of energy loss, and as far as widths are known those of gain."""
    if instrument is None:
        reach = float(edges[-1])
    elif instrument.kind == "direct":
        reach = GAIN * instrument.fixed_energy
    else:
        reach = 0.0
    mirrored = -edges[(edges > 0) & (edges <= reach)][::-1]
    return np.concatenate([mirrored, edges]) if edges[0] == 0 and len(mirrored) else edges


def _default_range(measured: xr.Dataset, expected: Array, instrument: Instrument | None) -> tuple[float, float]:
    edges = measured["energy_edges"].values
    covered = np.isfinite(expected).any(axis=0) if expected.ndim == 2 else np.isfinite(expected)
    top = float(edges[1:][covered].max(initial=edges[0]))
    if measured.attrs["kind"] == DOS:
        return float(edges[0]), top
    if instrument is not None and instrument.kind == "direct":
        top = min(top, HIGHEST * instrument.fixed_energy)
    width = float(instrument.fwhm(0.0)) if instrument is not None else 0.0
    return max(ELASTIC * width, PLAIN_ELASTIC * top), top


def _used(
    measured: xr.Dataset, expected: Array, energy: tuple[float, float], q: tuple[float, float] | None
) -> tuple[NDArray[np.bool_], list[str]]:
    """Which bins are fitted, and notes about it."""
    edges = measured["energy_edges"].values
    if not energy[0] < energy[1]:
        raise DataError(f"energies from {energy[0]:g} to {energy[1]:g} meV are no range; give the lower one first")
    inside = (edges[:-1] >= energy[0] - 1e-6) & (edges[1:] <= energy[1] + 1e-6)
    use = np.isfinite(measured["intensity"].values) & np.isfinite(expected) & inside
    if q is not None and "q" in measured.dims:
        q_edges = measured["q_edges"].values
        use &= ((q_edges[:-1] >= q[0] - 1e-6) & (q_edges[1:] <= q[1] + 1e-6))[:, None]
    notes = []
    variance = measured["variance"].values
    if np.isfinite(variance[use]).any():
        without = use & ~(variance > 0)
        use &= variance > 0
        if without.any():
            notes.append(f"{int(without.sum())} bins without a variance, or with one of 0, are left out")
    if use.sum() <= MOST_TERMS:
        raise DataError(
            f"measurement and theory share {int(use.sum())} bins from {energy[0]:g} to {energy[1]:g} meV; "
            "choose other ranges, or make the theory on a larger grid"
        )
    return use, notes


def _least_squares(design: Array, target: Array) -> tuple[Array, Array, float]:
    """Coefficients, their standard deviations for targets of variance 1, and χ² by degree of freedom."""
    size = np.linalg.norm(design, axis=0)
    if np.any(size == 0):
        raise DataError("theory is 0 in all bins of the fit; choose other ranges")
    found, _, rank, _ = np.linalg.lstsq(design / size, target, rcond=None)
    if rank < len(size):
        raise DataError("theory and background cannot be told apart in this range; take a lower degree of background")
    covariance = np.linalg.inv((design / size).T @ (design / size))
    residual = target - design @ (found / size)
    return found / size, np.sqrt(np.diag(covariance)) / size, float(residual @ residual) / (len(target) - len(size))
