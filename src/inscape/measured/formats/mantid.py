"""Processed NeXus files of Mantid: Workspace2D, over |Q| or of detectors, and MDHistoWorkspace.

References
----------
Mantid, Framework/Nexus/src/NexusFileIO.cpp (values, errors, axis1 along a row, axis2 of the rows, units by name) and
Framework/MDAlgorithms/src/SaveMD2.cpp (signal, errors_squared, num_events, mask; axes named slowest first).
"""

from __future__ import annotations

import h5py
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from inscape.errors import DataError
from inscape.measured.axes import energy_factor, is_energy, is_wave_vector, wave_vector_factor
from inscape.measured.container import make_measured
from inscape.measured.detectors import Detectors, to_map
from inscape.measured.formats.hdf5 import groups, has, numbers, words
from inscape.measured.formats.options import Options
from inscape.spectra import check_edges, edges_around

Array = NDArray[np.floating]

NAME = "processed NeXus of Mantid"
HISTOGRAM = "MDHistoWorkspace"

BY_VOLUME, BY_EVENTS = 1, 2
"""Values of ``visual_normalization``: what the signal is to be divided by."""


def recognise(file: h5py.File) -> bool:
    """Whether there is a workspace of either kind."""
    return _workspace(file) is not None or isinstance(file.get(HISTOGRAM), h5py.Group)


def read(file: h5py.File, options: Options) -> xr.Dataset:
    """The first workspace."""
    entry = _workspace(file)
    return _read_histogram(file[HISTOGRAM], options) if entry is None else _read_workspace(entry, options)


def _workspace(file: h5py.File) -> h5py.Group | None:
    """The first entry with a Workspace2D."""
    for name, entry in groups(file):
        if name.startswith("mantid_workspace") and isinstance(entry.get("workspace"), h5py.Group):
            return entry
    return None


# -------------------------------------------------------------------------------------------------------- Workspace2D


def _read_workspace(entry: h5py.Group, options: Options) -> xr.Dataset:
    workspace = entry["workspace"]
    values, errors = numbers(workspace, "values", ndim=2), numbers(workspace, "errors", ndim=2)
    if errors.shape != values.shape:
        raise DataError(f"{workspace.name} has errors of shape {errors.shape} and values of {values.shape}")
    if np.any(errors < 0):
        raise DataError(f"{workspace.name} has errors below 0")
    along, rows = _common(numbers(workspace, "axis1")), numbers(workspace, "axis2", ndim=1)
    units = [words(workspace[name].attrs.get("units")) or "" for name in ("axis1", "axis2")]
    if words(workspace["axis1"].attrs.get("distribution")) == "0" and len(along) == values.shape[1] + 1:
        widths = np.diff(along)
        values, errors = values / widths, errors / widths
    if is_wave_vector(units[0]) and is_energy(units[1]):
        values, errors, along, rows, units = values.T, errors.T, rows, along, units[::-1]
    if not is_energy(units[0]):
        raise DataError(f"{workspace.name} is over {units[0] or 'nothing'}; expected energy transfer (DeltaE)")
    energy = _edges(along, values.shape[1]) * energy_factor(units[0])
    incident = options.incident_energy or _log(entry, "Ei")
    name = words(entry["instrument"].get("name")) if isinstance(entry.get("instrument"), h5py.Group) else None
    attributes = {"incident_energy_meV": incident, "instrument": name}
    if is_wave_vector(units[1]):
        q = _edges(rows, len(values)) * wave_vector_factor(units[1])
        return make_measured(values, errors**2, energy_edges=energy, q_edges=q, attributes=attributes)
    angles = _angles(entry, len(values))
    if angles is None and len(values) == 1:
        return make_measured(values[0], errors[0] ** 2, energy_edges=energy, attributes=attributes)
    if angles is None:
        raise DataError(
            f"{entry.name} holds spectra of {len(values)} detectors without their angles (instrument/detector/"
            "detector_positions), so that |Q| is not known; convert it with Mantid's SofQW first"
        )
    if incident is None:
        raise DataError(f"{entry.name} does not say the incident energy: give incident_energy")
    detectors = Detectors(
        values, errors**2, angles, np.zeros_like(angles), check_edges(energy), np.array([incident]), direct=True
    )
    seen, variance, q = to_map(detectors, options.q_edges)
    return make_measured(seen, variance, energy_edges=energy, q_edges=q, attributes=attributes)


def _common(axis: Array) -> Array:
    """The axis of all rows, given once or for each row."""
    if axis.ndim == 2:
        if not np.all(axis == axis[:1]):
            raise DataError("the rows of the workspace have different energies; rebin them to the same first")
        return axis[0]
    return axis


def _edges(axis: Array, count: int) -> Array:
    """Bin edges of an axis of edges or of centres."""
    if len(axis) == count + 1:
        return axis
    if len(axis) != count or count < 2:
        raise DataError(f"an axis has {len(axis)} numbers for {count} bins")
    return edges_around(axis)


def _log(entry: h5py.Group, name: str, logs: str = "logs") -> float | None:
    """A number from the logs of a run; of a series the mean."""
    if not has(entry, f"{logs}/{name}/value"):
        return None
    return float(np.mean(numbers(entry, f"{logs}/{name}/value")))


def _angles(entry: h5py.Group, count: int) -> Array | None:
    """2θ of each spectrum, degrees: the mean of its detectors, whose positions are (distance, 2θ, φ)."""
    detector = entry.get("instrument/detector")
    if not isinstance(detector, h5py.Group) or not has(detector, "detector_positions"):
        return None
    polar = np.atleast_2d(numbers(detector, "detector_positions"))
    if polar.shape[1] < 2:
        raise DataError(f"{detector.name}/detector_positions has shape {polar.shape}, expected (n, 3)")
    polar = polar[:, 1]
    if has(detector, "detector_count") and has(detector, "detector_index"):
        first, size = (numbers(detector, f"detector_{name}", ndim=1).astype(int) for name in ("index", "count"))
        fits = first.shape == size.shape == (count,) and first.min(initial=0) >= 0
        if fits and size.min(initial=1) > 0 and (first + size).max(initial=0) <= len(polar):
            sums = np.append(0.0, np.cumsum(polar))
            return np.asarray((sums[first + size] - sums[first]) / size)
    return polar if len(polar) == count else None


# --------------------------------------------------------------------------------------------------- MDHistoWorkspace


def _read_histogram(entry: h5py.Group, options: Options) -> xr.Dataset:
    data = entry.get("data")
    if not isinstance(data, h5py.Group):
        raise DataError(f"{entry.name} has no data: only files of SaveMD version 2 are read; save it again with Mantid")
    signal, variance = numbers(data, "signal"), numbers(data, "errors_squared")
    names = (words(data["signal"].attrs.get("axes")) or "").split(":")
    if len(names) != signal.ndim or variance.shape != signal.shape:
        raise DataError(f"{data.name} has a signal of shape {signal.shape}, axes {names}, errors of {variance.shape}")
    if has(data, "num_events"):
        events = numbers(data, "num_events")
        signal = np.where(events > 0, signal, np.nan)
    else:
        events = np.ones_like(signal)
    if has(data, "mask"):
        signal = np.where(numbers(data, "mask") == 0, signal, np.nan)
    axes = [(name, numbers(data, name, ndim=1), words(data[name].attrs.get("units")) or "") for name in names]
    divisor = _divisor(entry, events, [edges for _, edges, _ in axes])
    signal, variance = signal / divisor, variance / divisor**2
    long = [number for number, size in enumerate(signal.shape) if size > 1]
    kept = {"energy" if is_energy(axes[n][2]) else "q": axes[n] for n in long if _is_known(axes[n][2])}
    if len(kept) != len(long) or "energy" not in kept:
        found = ", ".join(f"{axes[n][0]} ({axes[n][2] or 'no unit'})" for n in long)
        raise DataError(f"{data.name} is over {found}; expected energy transfer, or |Q| and energy transfer")
    shape = tuple(signal.shape[n] for n in long)
    signal, variance = signal.reshape(shape), variance.reshape(shape)
    if list(kept) == ["energy", "q"]:
        signal, variance = signal.T, variance.T
    return make_measured(
        signal,
        variance,
        energy_edges=kept["energy"][1] * energy_factor(kept["energy"][2]),
        q_edges=kept["q"][1] * wave_vector_factor(kept["q"][2]) if "q" in kept else None,
        attributes={"incident_energy_meV": options.incident_energy or _log(entry, "Ei", "experiment0/logs")},
    )


def _is_known(unit: str) -> bool:
    return is_energy(unit) or is_wave_vector(unit)


def _divisor(entry: h5py.Group, events: Array, edges: list[Array]) -> Array:
    """What the signal is divided by to be a mean or a density, as Mantid shows it."""
    how = int(numbers(entry, "visual_normalization").flat[0]) if has(entry, "visual_normalization") else 0
    if how == BY_EVENTS:
        return np.where(events > 0, events, 1.0)
    if how == BY_VOLUME:
        volume = np.ones(())
        for axis in edges:
            volume = np.multiply.outer(volume, np.diff(axis))
        if volume.shape == events.shape:
            return volume
        raise DataError(f"{entry.name} has axes of {volume.shape} bins and a signal of {events.shape}")
    return np.ones_like(events)
