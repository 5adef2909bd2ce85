"""Clean a measured spectrum: noise removed, gaps filled, with the uncertainty of each bin and a warning.

A density of states is cleaned as a map of one row, by a network of its own.
"""

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
from inscape.measured.container import DOS, KINDS, MAP, check_measured
from inscape.measured.foreign import code_distance, noise_level, structure_left
from inscape.measured.network import Cleaner
from inscape.measured.remainder import events, remainder
from inscape.measured.resampling import bring_back, even_edges, is_even, resample
from inscape.training import WEIGHTS, load_weights

Array = NDArray[np.floating]

NAMES = {MAP: "denoise-powder", DOS: "denoise-dos"}
"""What the weights for each kind of spectrum are called."""

MANY_EVENTS = 10.0
"""From so many events in a bin on (the median of bins), what the network leaves is looked at."""

MOST_BINS = 400
"""A spectrum with more bins along an axis is cleaned on this many."""


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
        tensors, header = load_weights(path)
        if header.class_name not in NAMES.values():
            raise WeightsError(f"{path} holds a {header.class_name}; expected {' or '.join(NAMES.values())}")
        network = Cleaner(tuple(header.parameters["channels"]), header.parameters.get("axes", 2))
        try:
            network.load_state_dict(tensors)
        except RuntimeError as error:
            raise WeightsError(f"{path} (inscape {header.version}) does not fit this version: {error}") from None
        return cls(network.float(), header.extra, header.digest)

    @property
    def kind(self) -> str:
        """Of the spectra it is for."""
        return MAP if self.network.axes == 2 else DOS

    def clean(self, values: Array, variances: Array) -> tuple[Array, Array, Array]:
        """Clean map, its standard deviations, and the code of a map on even bins, of one row if it is a spectrum.

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
        room = [(0, -n % multiple) for n, multiple in zip(values.shape, self.network.multiples, strict=True)]
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
def shipped_denoiser(kind: str = MAP) -> Denoiser:
    """The denoiser for a kind of spectrum that ships with the package."""
    return Denoiser.load(WEIGHTS / f"{NAMES[kind]}.safetensors")


def denoise(data: xr.Dataset, *, dose: float | None = None, denoiser: Denoiser | None = None) -> xr.Dataset:
    """Remove the noise of a measured powder map or density of states, and fill its gaps.

    What belongs to the measurement without noise stays: background, elastic line, resolution, many phonons.

    Parameters
    ----------
    data
        As of `inscape.read`: NaN where nothing was measured.
    dose
        Counts in the whole spectrum, where its values are counts times one number: variances follow from it, whatever
        the data say. Without it, variances that the data lack are estimated from differences between neighbouring
        bins, which takes sharp structure for noise.
    denoiser
        The one that ships unless given.

    Returns
    -------
    xr.Dataset
        On the grid of ``data``, with its attributes: ``clean``; ``uncertainty``, a standard deviation, in which are
        68 % of the errors on crystals like those learned from; ``residual``, measured − clean, NaN in gaps; ``filled``,
        True where nothing was measured; ``intensity`` and ``variance`` as used. Where variances are 0 everywhere,
        ``clean`` is what was measured. Attributes ``foreign`` (0 or 1) and ``foreign_reason`` say whether it is
        unlike what the network learned from, ``structure_left``, ``code_distance`` and their usual highest values why.

    Raises
    ------
    DataError
        No measured spectrum or one of another kind than the denoiser's, nothing measured, negative variances, or a dose
        that is not positive.
    """
    data = check_measured(data, None if denoiser is None else denoiser.kind)
    chosen = shipped_denoiser(data.attrs["kind"]) if denoiser is None else denoiser
    values, variances = (np.atleast_2d(x) for x in _values(data, dose))
    energy = data["energy_edges"].values
    q = data["q_edges"].values if chosen.kind == MAP else np.array([0.0, 1.0])
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
    """Values and variances, NaN alike; `DataError` for a dose that is none."""
    if dose is not None and not (np.isfinite(dose) and dose > 0):
        raise DataError(f"dose is {dose}; expected the number of counts in the spectrum, a positive number")
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
    axes = KINDS[data.attrs["kind"]]
    values, variances, clean, deviation = (
        x.reshape(data["intensity"].shape) for x in (values, variances, clean, deviation)
    )
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
