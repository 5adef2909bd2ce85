"""Write spectra in the container of `inscape.read`: NetCDF, NXspe, CSV, JSON of Euphonic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import xarray as xr

from inscape.errors import DataError
from inscape.files import replacing, write_netcdf
from inscape.measured.container import check_measured
from inscape.measured.formats import euphonic_json, nxspe, text
from inscape.scattering.kinematics import check_fixed_energy

WRITERS: dict[str, Callable[[xr.Dataset, Path], None]] = {
    ".nc": write_netcdf,
    ".csv": text.write,
    ".json": euphonic_json.write,
    ".nxspe": nxspe.write,
}
"""By the suffix of the file."""


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
    if path.suffix.lower() not in WRITERS:
        raise DataError(f"{path}: no format has the suffix {path.suffix!r}; expected {', '.join(WRITERS)}")
    if incident_energy is not None:
        dataset = dataset.assign_attrs(incident_energy_meV=check_fixed_energy(incident_energy, "incident_energy"))
    with replacing(path) as scratch:
        WRITERS[path.suffix.lower()](dataset, scratch)
    return path
