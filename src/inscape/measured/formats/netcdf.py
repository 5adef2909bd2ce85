"""NetCDF-4 files of this package: measured spectra as they were written, and results of predict and simulate."""

from __future__ import annotations

from pathlib import Path

import h5py
import xarray as xr

from inscape.errors import DataError
from inscape.measured.container import DOS, KINDS, MAP, check_measured, make_measured
from inscape.measured.formats.hdf5 import has, words
from inscape.measured.formats.options import Options
from inscape.properties import complete_dos
from inscape.results import PER_BARN, PER_MEV, Prediction
from inscape.spectra import whole_powder

NAME = "NetCDF file of inscape"


def recognise(file: h5py.File) -> bool:
    """Whether the attributes are those of either."""
    return is_measured(file) or is_result(file)


def is_measured(file: h5py.File) -> bool:
    """Whether the file holds measured spectra."""
    return words(file.attrs.get("kind")) in KINDS and has(file, "intensity")


def is_result(file: h5py.File) -> bool:
    """Whether the file is a result of predict or simulate."""
    return "inscape_version" in file.attrs and "engine" in file.attrs


def read(file: h5py.File, options: Options) -> xr.Dataset:
    """Measured spectra as they are; of a result the powder map, many phonons included, or the density of states."""
    path, measured = Path(file.filename), is_measured(file)
    file.close()
    if measured:
        return check_measured(xr.load_dataset(path, engine="h5netcdf"))
    return of_result(Prediction.load(path), options.kind)


def of_result(result: Prediction, kind: str | None = None) -> xr.Dataset:
    """The powder map of a result, many phonons included, or its density of states, in the container.

    Raises
    ------
    DataError
        The result holds no such spectrum.
    """
    attributes = {name: result.dataset.attrs[name] for name in ("temperature_K", "formula", "engine")}
    kind = kind or (MAP if "powder" in result.kinds else DOS)
    if kind == DOS:
        if "dos" not in result.kinds:
            raise DataError("the result holds no density of states; make it with the kind 'dos'")
        dos, edges = complete_dos(result.dataset)
        return make_measured(dos, None, energy_edges=edges, units=PER_MEV, attributes=attributes)
    if "powder" not in result.kinds:
        raise DataError("the result holds no powder map; make it with the kind 'powder'")
    powder = whole_powder(result.dataset).values.astype(float)
    edges_of = {f"{dim}_edges": result.dataset[f"{dim}_edges"].values for dim in ("q", "energy")}
    return make_measured(powder, None, **edges_of, units=PER_BARN, attributes=attributes)
