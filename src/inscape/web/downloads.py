"""Results as files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal

from inscape.errors import DataError
from inscape.measured import write
from inscape.measured.formats.netcdf import of_result

if TYPE_CHECKING:
    from inscape.web.looking import LookedAt

FileFormat = Literal["nc", "csv", "png", "svg", "nxspe", "cif"]

TYPES: dict[FileFormat, str] = {
    "nc": "application/x-netcdf",
    "csv": "text/csv; charset=utf-8",
    "png": "image/png",
    "svg": "image/svg+xml",
    "nxspe": "application/x-hdf5",
    "cif": "chemical/x-cif",
}

WORDS = {"powder": "powder map", "dos": "density of states"}

ONE_AT_A_TIME = Lock()
"""Matplotlib draws for one thread at a time."""


def file_of(looked_at: LookedAt, form: FileFormat) -> bytes:
    """The bytes of a file.

    Raises
    ------
    DataError
        What the format cannot hold, or lacks.
    """
    with tempfile.TemporaryDirectory(prefix="inscape-") as folder:
        place = Path(folder) / f"result.{form}"
        if form == "nc":
            looked_at.prediction.save(place)
        elif form in ("png", "svg"):
            with ONE_AT_A_TIME:
                looked_at.prediction.plot(place)
        elif form == "cif":
            looked_at.crystal.to_ase().write(place, format="cif")  # type: ignore[no-untyped-call]
        else:
            _write_spectrum(looked_at, form, place)
        return place.read_bytes()


def _write_spectrum(looked_at: LookedAt, form: FileFormat, place: Path) -> None:
    """One spectrum in the container of measured ones, which has more formats."""
    kinds = [kind for kind in looked_at.settings.kinds if kind in WORDS]
    kind = "powder" if "powder" in kinds or form == "nxspe" else next(iter(kinds), None)
    if kind is None:
        raise DataError("this result holds neither a powder map nor a density of states: choose other kinds, or .nc")
    if form == "nxspe" and looked_at.settings.ei is None:
        raise DataError("NXspe holds what detectors of direct geometry see: give the incident energy, ei in meV")
    write(of_result(looked_at.prediction, WORDS[kind]), place, incident_energy=looked_at.settings.ei)
