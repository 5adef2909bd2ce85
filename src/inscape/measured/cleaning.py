"""Clean a measured powder map: noise removed, gaps filled, with the uncertainty of each bin and a warning."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from inscape.errors import DataError, WeightsError
from inscape.files import replacing, write_netcdf
from inscape.measured.container import MAP, check_measured
from inscape.measured.foreign import code_distance, noise_level, structure_left
from inscape.measured.network import MULTIPLE, Cleaner
from inscape.measured.remainder import events, remainder
from inscape.measured.resampling import bring_back, even_edges, is_even, resample
from inscape.training import WEIGHTS, load_weights

Array = NDArray[np.floating]

NAME = "denoise-powder"

MANY_EVENTS = 10.0
"""From so many events in a bin on (the median of bins), what the network leaves is looked at."""

MOST_BINS = 400
"""A map with more bins along an axis is cleaned on this many."""


class Denoiser:
    """The trained network with its calibration; where much is counted, what it leaves comes back as far as it is real.

    Parameters
    ----------
    network
        As trained.
    calibration
        What `inscape.measured.training.calibration` found.
    digest
        Of the weights.
    """

    def __init__(self, network: Cleaner, calibration: Mapping[str, Any], digest: str = "") -> None:
        self.network = network.eval()
        self.calibration = calibration
        self.digest = digest

    @classmethod
    def load(cls, path: str | Path) -> Denoiser:
        """The denoiser in a file of weights; `WeightsError` if it is missing, damaged or of another kind."""
        tensors, header = load_weights(path, class_name=NAME)
        network = Cleaner(tuple(header.parameters["channels"]))
        try:
            network.load_state_dict(tensors)
        except RuntimeError as error:
            raise WeightsError(f"{path} (inscape {header.version}) does not fit this version: {error}") from None
        return cls(network.float(), header.extra, header.digest)

    def clean(self, values: Array, variances: Array) -> tuple[Array, Array, Array]:
        """Clean map, its standard deviations, and the code of a map on even bins.

        Parameters
        ----------
        values, variances
            Shape (n_q, n_energy), any unit and its square; NaN = not measured, in both alike.

        Returns
        -------
        tuple
            (n_q, n_energy) twice, and (n_code,). No bin is NaN.
        """
        gaps = np.isnan(values)
        clean, deviation, code = self.by_network(values, variances)
        if not np.nansum(variances) > 0:
            return np.where(gaps, clean, values), np.where(gaps, deviation, 0.0), code
        if events(values, variances) >= MANY_EVENTS:
            added, error = remainder(lambda x, v: self.by_network(x, v)[0], values, variances)
            clean = clean + added
            deviation = np.where(gaps, deviation, np.sqrt(error))
        scale, filled = (self._at(key, noise_level(values, variances)) for key in ("scale", "scale_filled"))
        return clean, deviation * np.where(gaps, filled, scale), code

    def by_network(self, values: Array, variances: Array) -> tuple[Array, Array, Array]:
        """As `clean`, by the network alone and before the calibration."""
        size = np.nanmax(np.abs(values))
        unit = float(size) if size > 0 else 1.0
        room = [(0, -length % MULTIPLE) for length in values.shape]
        padded = [np.pad(x, room, constant_values=np.nan) for x in (values / unit, variances / unit**2)]
        with torch.inference_mode():
            found = self.network(*(torch.from_numpy(x.astype(np.float32))[None] for x in padded))
        clean, variance = (x[0, : values.shape[0], : values.shape[1]].double().numpy() for x in found[:2])
        return unit * clean, unit * np.sqrt(variance), found[2][0].numpy()

    def signs(self, values: Array, clean: Array, variances: Array, code: Array) -> dict[str, float]:
        """What tells a foreign map: ``structure`` and ``distance``, and the highest usual value of each."""
        return {
            "structure": structure_left(values, clean, variances),
            "structure_usual": self._at("structure", noise_level(values, variances)),
            "distance": code_distance(code, self.calibration["code_mean"], self.calibration["code_deviation"]),
            "distance_usual": float(self.calibration["code_distance"]),
        }

    def _at(self, key: str, noise: float) -> float:
        """A number of the calibration at a level of noise, between the doses it was found at; the nearest beyond."""
        order = np.argsort(self.calibration["noise"])
        known = np.log(np.asarray(self.calibration["noise"])[order])
        return float(np.interp(np.log(max(noise, 1e-300)), known, np.asarray(self.calibration[key])[order]))


@cache
def shipped_denoiser() -> Denoiser:
    """The denoiser that ships with the package."""
    return Denoiser.load(WEIGHTS / f"{NAME}.safetensors")


def denoise(data: xr.Dataset, *, dose: float | None = None, denoiser: Denoiser | None = None) -> xr.Dataset:
    """Remove the noise of a measured powder map and fill its gaps.

    What belongs to the measurement without noise stays: background, elastic line, resolution, many phonons.

    Parameters
    ----------
    data
        A powder map as of `inscape.read`: NaN where no detector is.
    dose
        Counts in the whole map, where its values are counts times one number: variances follow from it, whatever the
        data say. Without it, variances that the data lack are estimated from differences between neighbouring bins,
        which takes sharp structure for noise.
    denoiser
        The one that ships unless given.

    Returns
    -------
    xr.Dataset
        On the grid of ``data``, with its attributes: ``clean``; ``uncertainty``, a standard deviation, in which are
        68 % of the errors on crystals like those learned from; ``residual``, measured − clean, NaN in gaps; ``filled``,
        True where nothing was measured; ``intensity`` and ``variance`` as used. Where variances are 0 everywhere, the
        clean map is the measured one. Attributes ``foreign`` (0 or 1) and ``foreign_reason`` say whether the map is
        unlike what the network learned from, ``structure_left``, ``code_distance`` and their usual highest values why.

    Raises
    ------
    DataError
        No powder map, nothing measured, negative variances, or a dose that is not positive.
    """
    data = check_measured(data, MAP)
    values, variances = _values(data, dose)
    chosen = shipped_denoiser() if denoiser is None else denoiser
    q, energy = (data[f"{name}_edges"].values for name in ("q", "energy"))
    grids = [even_edges(edges, MOST_BINS) for edges in (q, energy)]
    if is_even(q, MOST_BINS) and is_even(energy, MOST_BINS):
        clean, deviation, code = chosen.clean(values, variances)
        signs = chosen.signs(values, clean, variances, code)
    else:
        coarse = resample(values, variances, (q, energy), grids)
        found, spread, code = chosen.clean(*coarse)
        signs = chosen.signs(coarse[0], found, coarse[1], code)
        clean, deviation = (bring_back(x, grids, (q, energy)) for x in (found, spread))
    return _dataset(data, values, variances, clean, deviation, signs, chosen.digest)


def _values(data: xr.Dataset, dose: float | None) -> tuple[Array, Array]:
    """Values and variances, shape (n_q, n_energy), NaN alike; `DataError` for a dose that is none."""
    if dose is not None and not (np.isfinite(dose) and dose > 0):
        raise DataError(f"dose is {dose}; expected the number of counts in the map, a positive number")
    values, variances = data["intensity"].values, data["variance"].values
    if dose is not None or bool((unknown := np.isnan(variances) & ~np.isnan(values)).any()):
        guess = np.abs(values) * _variance_of_a_unit(values, dose)
        variances = guess if dose is not None else np.where(unknown, guess, variances)
    return values, variances


def _variance_of_a_unit(values: Array, dose: float | None) -> float:
    """Variance over intensity: that of so many counts, or half the mean square of differences between neighbours."""
    if dose is not None:
        return float(np.nansum(np.abs(values))) / dose
    steps = np.diff(values, axis=0)
    pairs = 0.5 * np.abs(values[1:] + values[:-1])
    return 0.5 * float(np.nansum(steps**2)) / max(float(np.nansum(np.where(np.isnan(steps), np.nan, pairs))), 1e-300)


def _dataset(
    data: xr.Dataset,
    values: Array,
    variances: Array,
    clean: Array,
    deviation: Array,
    signs: Mapping[str, float],
    digest: str,
) -> xr.Dataset:
    """All that is found, on the axes of the data."""
    unit = str(data.attrs.get("units", ""))
    axes = ("q", "energy")
    gaps = np.isnan(values)
    found = data.copy()
    found["variance"] = (axes, variances, found["variance"].attrs)
    found["clean"] = (axes, clean, {"units": unit, "long_name": "without noise; in gaps, as filled"})
    found["uncertainty"] = (axes, deviation, {"units": unit, "long_name": "standard deviation of clean"})
    found["residual"] = (axes, values - clean, {"units": unit, "long_name": "measured − clean"})
    found["filled"] = (axes, gaps, {"long_name": "not measured; clean is filled in"})
    reasons = []
    if signs["structure"] > signs["structure_usual"]:
        reasons.append(
            f"the residual holds structure: {signs['structure']:.2g} of noise in windows, usual are up to "
            f"{signs['structure_usual']:.2g}"
        )
    if signs["distance"] > signs["distance_usual"]:
        reasons.append(
            f"its code is at a distance of {signs['distance']:.2g}, usual are up to {signs['distance_usual']:.2g}"
        )
    found.attrs |= {
        "foreign": int(bool(reasons)),
        "foreign_reason": "; ".join(reasons),
        "structure_left": signs["structure"],
        "structure_usual": signs["structure_usual"],
        "code_distance": signs["distance"],
        "code_distance_usual": signs["distance_usual"],
        "denoiser": digest,
    }
    return found


def save_cleaned(found: xr.Dataset, path: str | Path) -> Path:
    """Write what `denoise` found as NetCDF-4, whole or not at all; `DataError` if that cannot be done.

    `inscape.read` takes from it what was measured; ``xarray.load_dataset`` everything.
    """
    path = Path(path)
    with replacing(path) as scratch:
        write_netcdf(found, scratch)
    return path
