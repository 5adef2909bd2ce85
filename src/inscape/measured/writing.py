"""Write spectra in the container of `inscape.read`: NetCDF, NXspe, CSV, JSON of Euphonic."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import xarray as xr

from inscape.errors import DataError
from inscape.measured.container import MAP, check_measured
from inscape.measured.formats import euphonic_json, netcdf, nxspe, text

WRITERS: dict[str, Callable[[xr.Dataset, Path], None]] = {
    ".nc": netcdf.write,
    ".csv": text.write,
    ".json": euphonic_json.write,
}
"""By the suffix of the file; ``.nxspe`` needs the incident energy too."""


def write(dataset: xr.Dataset, path: str | Path, *, incident_energy: float | None = None) -> Path:
    """Write a spectrum, whole or not at all, in the format of the suffix: .nc, .csv, .nxspe or .json.

    NetCDF and CSV hold everything; JSON of Euphonic has no variances. An NXspe file holds made-up detectors of direct
    geometry, finer than the bins of |Q|, that would show the map.

    Parameters
    ----------
    dataset
        As from `inscape.read`.
    path
        Where to write.
    incident_energy
        E_i of NXspe, meV; that of the dataset unless given.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    DataError
        Another suffix, something else than a container, no incident energy for NXspe, or a place that is not writable.
    """
    path, dataset = Path(path), check_measured(dataset)
    suffix = path.suffix.lower()
    if suffix == ".nxspe":
        incident = incident_energy or dataset.attrs.get("incident_energy_meV")
        if dataset.attrs["kind"] != MAP:
            raise DataError("NXspe holds powder maps only; write a density of states as .nc, .csv or .json")
        if incident is None:
            raise DataError("NXspe needs the incident energy, which this spectrum does not name: give incident_energy")
        fixed = float(incident)

        def writer(data: xr.Dataset, place: Path) -> None:
            nxspe.write(data, place, fixed)

    elif suffix in WRITERS:
        writer = WRITERS[suffix]
    else:
        raise DataError(f"{path}: no format has the suffix {suffix!r}; expected .nc, .csv, .nxspe or .json")
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        writer(dataset, scratch)
        scratch.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}); name another place") from error
    finally:
        scratch.unlink(missing_ok=True)
    return path
