"""One door for files of measured spectra: the format is recognised by what is in the file, never by its name."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Literal

import h5py
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from inscape.errors import DataError, InscapeError
from inscape.measured.container import DOS, KINDS, MAP
from inscape.measured.formats import euphonic_json, histogram, mantid, netcdf, nxspe, text
from inscape.measured.formats.options import Options
from inscape.spectra import check_edges

HDF5_FORMATS: tuple[ModuleType, ...] = (nxspe, mantid, histogram, netcdf)
TEXT_FORMATS: tuple[ModuleType, ...] = (euphonic_json, text)
"""Modules with a ``NAME``, ``recognise`` and ``read``; the first that recognises a file reads it."""

DAMAGED = (
    OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, IndexError, OverflowError, MemoryError,
    NotImplementedError, RecursionError, ZeroDivisionError,
)  # fmt: skip
"""What h5py, h5netcdf and json raise for files that are damaged."""

MOST_BYTES = 1_000_000_000
"""Larger files of text are refused."""


def read(
    path: str | Path,
    *,
    kind: Literal["powder map", "density of states"] | None = None,
    energy_unit: str | None = None,
    incident_energy: float | None = None,
    temperature: float | None = None,
    q_edges: ArrayLike | None = None,
) -> xr.Dataset:
    """Read a measured spectrum, or one computed, from any file that is known.

    Known are NXspe, processed NeXus of Mantid (Workspace2D, MDHistoWorkspace), HDF5 histograms of multiphonon, JSON of
    Euphonic, tables of text (energy, intensity, error; CSV), and the NetCDF files of this package.

    Parameters
    ----------
    path
        The file.
    kind
        Refuse another kind; of a result that holds both, this one.
    energy_unit
        Unit of energies, instead of what the file says: meV, THz, cm-1, eV or µeV.
    incident_energy
        E_i, meV, instead of what the file says; spectra of detectors need it.
    temperature
        K, if the file does not say it.
    q_edges
        Bin edges, 1/Å, to which spectra of detectors are brought.

    Returns
    -------
    xr.Dataset
        ``intensity`` and ``variance`` (q, energy) or (energy), energies in meV, loss positive, |Q| in 1/Å; NaN where
        nothing was measured, and variances where they are not known; ``q_edges``, ``energy_edges``; attributes ``kind``
        ("powder map" or "density of states"), ``units``, ``source`` and, where known, ``instrument``,
        ``incident_energy_meV``, ``temperature_K``.

    Raises
    ------
    DataError
        No such file, a format that is not known, a file that is damaged or lacks something.
    GridError
        Edges that do not increase, or detectors that reach nothing.
    """
    path = Path(path)
    if kind is not None and kind not in KINDS:
        raise DataError(f"kind is {kind!r}; expected {' or '.join(map(repr, KINDS))}")
    for name, value in (("incident_energy", incident_energy), ("temperature", temperature)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise DataError(f"{name} is {value}; expected a positive number")
    edges = None if q_edges is None else check_edges(q_edges, name="|Q|")
    options = Options(kind, energy_unit, incident_energy, temperature, edges)
    try:
        found = _read(path, options)
    except InscapeError as error:
        raise type(error)(f"{path}: {error}") from error
    except DAMAGED as error:
        raise DataError(f"{path}: the file is damaged or incomplete ({type(error).__name__}: {error})") from error
    if kind is not None and found.attrs["kind"] != kind:
        raise DataError(f"{path} holds a {found.attrs['kind']}, not a {kind}")
    added = {"source": path.name, "incident_energy_meV": incident_energy, "temperature_K": temperature}
    return found.assign_attrs({name: value for name, value in added.items() if value is not None})


def holds_measurement(path: str | Path) -> bool:
    """Whether this is a file of measured spectra, and not a result of predict or simulate."""
    path = Path(path)
    try:
        if not h5py.is_hdf5(path):
            return path.is_file()
        with h5py.File(path, "r") as file:
            return not netcdf.is_result(file) or netcdf.is_measured(file)
    except OSError:
        return False


def _read(path: Path, options: Options) -> xr.Dataset:
    if not path.is_file():
        raise DataError("no such file")
    if not h5py.is_hdf5(path):
        return _read_text(_text(path), options)
    with h5py.File(path, "r") as file:
        for module in HDF5_FORMATS:
            if module.recognise(file):
                return _named(module.read(file, options))
        raise DataError(
            f"an HDF5 file with {', '.join(map(str, file)) or 'nothing'} in it is none of: {_names(HDF5_FORMATS)}"
        )


def _text(path: Path) -> str:
    """The file as text; `DataError` if it is none."""
    if path.stat().st_size > MOST_BYTES:
        raise DataError(f"a file of {path.stat().st_size} bytes that is no HDF5; at most {MOST_BYTES} are read as text")
    content = path.read_bytes()
    if content[:4] in (b"\x89HDF", b"CDF\x01", b"CDF\x02", b"CDF\x05"):
        raise DataError("a damaged HDF5 file, or an old NetCDF one; only NetCDF-4 is read")
    if b"\x00" in content:
        raise DataError(f"neither HDF5 nor text; known are {_names(HDF5_FORMATS + TEXT_FORMATS)}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _read_text(words: str, options: Options) -> xr.Dataset:
    for module in TEXT_FORMATS:
        if module.recognise(words):
            try:
                return _named(module.read(words, options))
            except json.JSONDecodeError as error:
                raise DataError(f"no valid JSON: {error}") from error
    raise DataError(f"text without a line of numbers; known are {_names(HDF5_FORMATS + TEXT_FORMATS)}")


def _named(dataset: xr.Dataset) -> xr.Dataset:
    """Intensities named by their kind, for axes of pictures."""
    dataset["intensity"].attrs["long_name"] = {MAP: "intensity", DOS: "density of states"}[dataset.attrs["kind"]]
    return dataset


def _names(modules: tuple[ModuleType, ...]) -> str:
    return ", ".join(module.NAME for module in modules)
