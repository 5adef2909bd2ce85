"""Measured spectra: read and write them, lay theory over them, and what follows from them."""

from inscape.measured.container import DOS, MAP, check_measured, make_measured
from inscape.measured.reading import holds_measurement, read
from inscape.measured.writing import write

__all__ = ["DOS", "MAP", "check_measured", "holds_measurement", "make_measured", "read", "write"]
