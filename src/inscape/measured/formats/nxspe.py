"""NXspe: spectra of detectors at angles, over energy transfer, as Mantid and Horace write and read them.

References
----------
Mantid, SaveNXSPE and LoadNXSPE (Framework/DataHandling): layout of version 1.3. Errors are standard deviations, NaN is
a masked detector; ``ki_over_kf_scaling`` says whether intensities were multiplied by k_i/k_f.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from inscape.errors import DataError
from inscape.measured.container import UNKNOWN, make_measured
from inscape.measured.detectors import Detectors, of_map, to_map
from inscape.measured.formats.hdf5 import groups, has, numbers, words
from inscape.measured.formats.options import Options
from inscape.spectra import centres, check_edges, edges_around

NAME = "NXspe"
MASKED = -1e10
"""Intensities up to this one are masked, as in the older text format SPE."""


def recognise(file: h5py.File) -> bool:
    """Whether some entry has the definition NXSPE."""
    return any((words(entry.get("definition")) or "").upper().startswith("NXSP") for _, entry in groups(file))


def read(file: h5py.File, options: Options) -> xr.Dataset:
    """The first such entry as a powder map."""
    entry = next(e for _, e in groups(file) if (words(e.get("definition")) or "").upper().startswith("NXSP"))
    data, info = entry.get("data"), entry.get("NXSPE_info")
    if not isinstance(data, h5py.Group) or not isinstance(info, h5py.Group):
        raise DataError(f"{entry.name} has no data or no NXSPE_info: it is no complete NXspe file")
    if not has(data, "polar"):
        raise DataError(f"{data.name} has no scattering angles (dataset polar), without which |Q| is not known")
    intensity, error = numbers(data, "data", ndim=2), numbers(data, "error", ndim=2)
    if error.shape != intensity.shape:
        raise DataError(f"{data.name} has errors of shape {error.shape} and intensities of {intensity.shape}")
    if np.any(error < 0):
        raise DataError(f"{data.name} has errors below 0")
    polar = numbers(data, "polar", ndim=1)
    width = numbers(data, "polar_width", ndim=1) if has(data, "polar_width") else np.zeros_like(polar)
    energy = numbers(data, "energy", ndim=1)
    if len(energy) == intensity.shape[1] > 1:
        energy = edges_around(energy)
    if len(energy) != intensity.shape[1] + 1:
        raise DataError(f"{data.name} has {intensity.shape[1]} energy bins and {len(energy)} energies")
    edges = check_edges(energy, name="energy")
    fixed = np.atleast_1d(numbers(info, "fixed_energy")).ravel()
    if options.incident_energy is not None:
        fixed = np.array([options.incident_energy])
    instrument = entry.get("instrument")
    direct = options.incident_energy is not None or not isinstance(instrument, h5py.Group) or "fermi" in instrument
    intensity = np.where(intensity > MASKED, intensity, np.nan)
    detectors = Detectors(intensity, error**2, polar, width, edges, fixed, direct)
    if has(info, "ki_over_kf_scaling") and not numbers(info, "ki_over_kf_scaling").any():
        detectors = _scaled(detectors)
    values, variance, q_edges = to_map(detectors, options.q_edges)
    attributes = {"incident_energy_meV": float(fixed[0]) if direct else None}
    if isinstance(instrument, h5py.Group):
        attributes["instrument"] = words(instrument.get("name"))  # type: ignore[assignment]
    units = words(data["data"].attrs.get("units")) or UNKNOWN
    return make_measured(values, variance, energy_edges=edges, q_edges=q_edges, units=units, attributes=attributes)


def write(dataset: xr.Dataset, path: Path, incident: float) -> None:
    """A powder map as detectors of direct geometry that would show it, version 1.3."""
    arrays = (dataset[name].values for name in ("intensity", "variance", "q_edges", "energy_edges"))
    detectors = of_map(*arrays, incident)
    count = len(detectors.two_theta)
    with h5py.File(path, "w") as file:
        entry = _group(file, "inscape", "NXentry")
        entry["definition"] = "NXSPE"
        entry["definition"].attrs["version"] = "1.3"
        entry["program_name"] = "inscape"
        info = _group(entry, "NXSPE_info", "NXcollection")
        info["fixed_energy"], info["psi"], info["ki_over_kf_scaling"] = incident, np.nan, 1
        info["fixed_energy"].attrs["units"], info["psi"].attrs["units"] = "meV", "degrees"
        instrument = _group(entry, "instrument", "NXinstrument")
        instrument["name"] = str(dataset.attrs.get("instrument", "unknown"))
        _group(instrument, "fermi", "NXfermi_chopper")["energy"] = incident
        _group(entry, "sample", "NXsample")
        data = _group(entry, "data", "NXdata")
        data["energy"], data["data"] = detectors.energy_edges, detectors.intensity
        data["error"] = np.where(np.isnan(detectors.intensity), 0.0, np.sqrt(detectors.variance))
        data["energy"].attrs["units"], data["data"].attrs["units"] = "meV", dataset["intensity"].attrs["units"]
        data["data"].attrs["signal"], data["data"].attrs["axes"] = 1, "polar:energy"
        data["polar"], data["polar_width"] = detectors.two_theta, detectors.width
        data["azimuthal"], data["azimuthal_width"] = np.zeros(count), np.full(count, 360.0)
        data["distance"] = np.ones(count)


def _group(parent: h5py.Group, name: str, nexus_class: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = nexus_class
    return group


def _scaled(detectors: Detectors) -> Detectors:
    """The same times k_i/k_f, which makes S of a cross section; NaN where there is no such neutron."""
    fixed = np.broadcast_to(detectors.fixed_energy, detectors.two_theta.shape)[:, None]
    energy = centres(detectors.energy_edges)
    before, after = (fixed, fixed - energy) if detectors.direct else (fixed + energy, fixed)
    possible = (before > 0) & (after > 0)
    ratio = np.sqrt(np.where(possible, before, np.nan) / np.where(possible, after, 1.0))
    return Detectors(
        detectors.intensity * ratio,
        detectors.variance * ratio**2,
        detectors.two_theta,
        detectors.width,
        detectors.energy_edges,
        detectors.fixed_energy,
        detectors.direct,
    )
