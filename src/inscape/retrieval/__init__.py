"""Which known crystals a spectrum looks like: measurements beside an index of spectra."""

from inscape.retrieval.measurements import Measurement, measurement
from inscape.retrieval.rank import Fit, fit, fitted
from inscape.retrieval.search import Match, SearchResult, container, search

__all__ = ["Fit", "Match", "Measurement", "SearchResult", "container", "fit", "fitted", "measurement", "search"]
