"""A figure of a spectrum and the crystals that it looks like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from inscape.plots.style import COLOUR_MAP, COLOURS, INK, colour_bar, logarithmic, titled

INTENSITY = "intensity of the query"


def search_figure(spectra: xr.Dataset, titles: Sequence[str], *, name: str = "query") -> Figure:
    """The query beside the best crystals, as they fit it.

    Parameters
    ----------
    spectra
        Of an `inscape.retrieval.SearchResult`.
    titles
        What is written above each crystal, or beside its curve; matplotlib's mathematics.
    name
        What the query is called.

    Returns
    -------
    Figure
        Powder maps in a row, on one scale, blank where the query was not measured; densities of states as curves.
    """
    if spectra["query"].ndim == 1:
        figure = Figure(figsize=(6.4, 3.8), dpi=150, layout="constrained")
        _draw_curves(spectra, titles, name, figure.subplots())
        return figure
    maps = [spectra["query"].values, *np.where(np.isnan(spectra["query"].values), np.nan, spectra["match"].values)]
    figure = Figure(figsize=(2.9 * len(maps) + 0.6, 3.4), dpi=150, layout="constrained")
    axes = figure.subplots(1, len(maps), sharey=True, squeeze=False)[0]
    norm = logarithmic(maps[1])
    for ax, values, title in zip(axes, maps, [name, *titles], strict=False):
        _draw_map(spectra, values, norm, ax, last=ax is axes[-1])
        titled(ax, title)
    axes[0].set_ylabel("Energy (meV)")
    return figure


def _draw_map(spectra: xr.Dataset, values: np.ndarray, norm: LogNorm, ax: Axes, *, last: bool) -> None:
    mesh = ax.pcolormesh(
        spectra["q_edges"], spectra["energy_edges"], values.T, cmap=COLOUR_MAP, norm=norm, rasterized=True
    )
    ax.set_xlabel("|Q| (1/Å)")
    if last:
        colour_bar(ax, mesh, label=INTENSITY)


def _draw_curves(spectra: xr.Dataset, titles: Sequence[str], name: str, ax: Axes) -> None:
    edges = spectra["energy_edges"].values
    rows = [spectra["query"].values, *spectra["match"].values]
    for values, label, colour in zip(rows, [name, *titles], (INK, *COLOURS), strict=False):
        width = 1.8 if colour == INK else 1.0
        ax.stairs(values, edges, baseline=None, color=colour, linewidth=width, label=label)
    ax.set(xlim=(edges[0], edges[-1]), ylim=(0, None), xlabel="Energy (meV)", ylabel=INTENSITY)
    ax.legend(frameon=False, fontsize="small")
