"""Indices of spectra: all that a search needs of thousands of crystals, in one file; one ships."""

from inscape.index.build import build_index, index_of_library
from inscape.index.maps import MapCodes
from inscape.index.store import INDEX, Index, shipped_index

__all__ = ["INDEX", "Index", "MapCodes", "build_index", "index_of_library", "shipped_index"]
