"""Libraries of spectra: rendered from force constants, kept in a Zarr store."""

from inscape.library.build import BuildReport, build_library
from inscape.library.render import REFERENCE_TEMPERATURE, RenderSettings, render
from inscape.library.splits import chemical_system, composition, in_tuning_part, read_splits
from inscape.library.store import Entry, Library

__all__ = [
    "REFERENCE_TEMPERATURE",
    "BuildReport",
    "Entry",
    "Library",
    "RenderSettings",
    "build_library",
    "chemical_system",
    "composition",
    "in_tuning_part",
    "read_splits",
    "render",
]
