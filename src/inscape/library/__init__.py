"""Libraries of spectra: rendered from force constants by many processes, kept as Zarr groups."""

from inscape.library.build import BuildReport, build_library
from inscape.library.cluster import Cluster
from inscape.library.index import Entry
from inscape.library.render import REFERENCE_TEMPERATURE, RenderSettings, render
from inscape.library.splits import chemical_system, composition, in_tuning_part, read_splits
from inscape.library.store import Failure, Library
from inscape.library.writing import LibraryWriter

__all__ = [
    "REFERENCE_TEMPERATURE",
    "BuildReport",
    "Cluster",
    "Entry",
    "Failure",
    "Library",
    "LibraryWriter",
    "RenderSettings",
    "build_library",
    "chemical_system",
    "composition",
    "in_tuning_part",
    "read_splits",
    "render",
]
