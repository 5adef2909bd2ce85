"""Pictures of spectra, properties, comparisons and codes; the only place that uses matplotlib.

No window is opened and no global state of matplotlib is touched. A function takes a value and an axis and returns the
axis; those whose name begins otherwise than with ``plot_`` make a whole figure.
"""

from matplotlib.figure import Figure

from inscape.plots.bands import bands_figure
from inscape.plots.cleaning import cleaning_figure, hatch_filled
from inscape.plots.codes import plot_code_map, plot_curves, plot_traversal
from inscape.plots.comparison import comparison_figure
from inscape.plots.instruments import instrument_figure, plot_instrument_map, plot_instrument_spectrum
from inscape.plots.measured import dos_figure, fit_figure
from inscape.plots.overview import overview
from inscape.plots.powder import Cut, powder_figure
from inscape.plots.search import search_figure
from inscape.plots.spectra import plot_cut, plot_dos, plot_heat_capacity, plot_plane, plot_powder
from inscape.plots.style import COLOURS, formula_text, space_group_text, write_figure
from inscape.plots.thermodynamics import thermodynamics_figure
from inscape.plots.vibration import mode_figure, plot_mode

__all__ = [
    "COLOURS", "Cut", "Figure", "bands_figure", "cleaning_figure", "comparison_figure", "dos_figure", "fit_figure",
    "formula_text", "hatch_filled", "instrument_figure", "mode_figure", "overview", "plot_code_map", "plot_curves",
    "plot_cut", "plot_dos", "plot_heat_capacity", "plot_instrument_map", "plot_instrument_spectrum", "plot_mode",
    "plot_plane", "plot_powder", "plot_traversal", "powder_figure", "search_figure", "space_group_text",
    "thermodynamics_figure", "write_figure",
]  # fmt: skip
