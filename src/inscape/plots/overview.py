"""A figure of everything that a dataset holds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from textwrap import wrap

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from inscape.errors import DataError
from inscape.plots.instruments import plot_instrument_map, plot_instrument_spectrum
from inscape.plots.spectra import plot_cut, plot_dos, plot_heat_capacity, plot_plane, plot_powder
from inscape.plots.style import INK, formula_text, space_group_text

HEAD, LINE = 0.62, 0.17
"""Height of the head of a figure, and of each further line of its warning, inches."""

LETTERS = 10
"""Of a warning in an inch."""


def overview(dataset: xr.Dataset) -> Figure:
    """A figure with a panel for everything that the dataset holds; the powder map as an instrument sees it, if it does.

    Raises
    ------
    DataError
        It holds no spectrum.
    """
    panels = _panels(dataset)
    if not panels:
        raise DataError("there is no spectrum to plot; ask for at least one kind: dos, powder or crystal")
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    width = 4.3 * columns + 0.3
    warning = wrap(str(dataset.attrs.get("warning", "")), int(LETTERS * width))
    high = HEAD + LINE * max(0, len(warning) - 1)
    figure = Figure(figsize=(width, 3.5 * rows + high + 0.28), dpi=150, layout="constrained")
    parts = figure.add_gridspec(2, 1, height_ratios=[high, 3.5 * rows])
    head, body = figure.add_subfigure(parts[0]), figure.add_subfigure(parts[1])
    grid = body.subplots(rows, columns, squeeze=False).ravel()
    for ax, panel in zip(grid, panels, strict=False):
        panel(dataset, ax)
    for ax in grid[len(panels) :]:
        ax.set_axis_off()
    _write_head(head, dataset.attrs, warning, HEAD / high)
    return figure


def _panels(dataset: xr.Dataset) -> list[Callable[[xr.Dataset, Axes], Axes]]:
    """What `overview` draws, in order."""
    panels: list[Callable[[xr.Dataset, Axes], Axes]] = []
    if "dos" in dataset:
        panels.append(plot_dos)
    if "powder" in dataset:
        panels.append(plot_instrument_map if "instrument_map" in dataset else plot_powder)
    if "instrument_spectrum" in dataset:
        panels.append(plot_instrument_spectrum)
    if "dos" in dataset:
        panels.append(plot_heat_capacity)
    if "crystal" in dataset:
        panels += [plot_plane, partial(plot_cut, along="h"), partial(plot_cut, along="k")]
    return panels


def _write_head(head: SubFigure, attributes: dict[str, object], warning: list[str], share: float) -> None:
    """Title, provenance, and the lines of the warning where there is one; ``share`` of the head is its first lines."""
    title = f"{formula_text(str(attributes['formula']))}   {space_group_text(str(attributes['space_group']))}"
    head.text(0.012, 1 - 0.16 * share, title, fontsize=16, va="top", color=INK)
    made = f"{attributes['temperature_K']:g} K, engine: {attributes['engine']}, inscape {attributes['inscape_version']}"
    if "isotopes" in attributes:
        made = f"{attributes['isotopes']}, {made}"
    head.text(0.988, 1 - 0.20 * share, made, fontsize=9, va="top", ha="right", color="0.35")
    if warning:
        text = "\n".join(warning)
        head.text(0.012, 1 - 0.74 * share, text, fontsize=10, va="top", color="#B00020", weight="bold")
    elif "accuracy" in attributes:
        head.text(0.012, 0.26, str(attributes["accuracy"]), fontsize=9, va="top", color="0.35")
