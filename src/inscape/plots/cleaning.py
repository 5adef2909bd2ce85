"""A figure of a measured powder map, what cleaning made of it, and how far that is to be believed."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from inscape.plots.comparison import DIVERGING
from inscape.plots.style import COLOUR_MAP, colour_bar, logarithmic, titled

Array = NDArray[np.floating]

LARGEST_RESIDUAL = 4.0
"""Residuals have their full colour from here on, standard deviations of the measurement."""


def cleaning_figure(found: xr.Dataset) -> Figure:
    """As measured, clean, uncertainty, and residual in standard deviations; filled bins are hatched.

    Parameters
    ----------
    found
        Of `inscape.denoise`.
    """
    figure = Figure(figsize=(11.0, 7.0), dpi=150, layout="constrained")
    axes = figure.subplots(2, 2, sharex=True, sharey=True).ravel()
    unit = str(found["clean"].attrs.get("units", ""))
    values = {name: found[name].transpose("q", "energy").values for name in ("intensity", "clean", "uncertainty")}
    norm = logarithmic(values["intensity"])
    titles = {"intensity": "as measured", "clean": "clean, filled where hatched", "uncertainty": "uncertainty of clean"}
    for ax, (name, title) in zip(axes, titles.items(), strict=False):
        shown = norm if name != "uncertainty" else logarithmic(values[name])
        mesh = ax.pcolormesh(*_edges(found), values[name].T, cmap=COLOUR_MAP, norm=shown, rasterized=True)
        colour_bar(ax, mesh, label=unit)
        titled(ax, title)
    hatch_filled(axes[1], found)
    variance = found["variance"].transpose("q", "energy").values
    residual = found["residual"].transpose("q", "energy").values / np.sqrt(np.where(variance > 0, variance, np.nan))
    mesh = axes[3].pcolormesh(
        *_edges(found), residual.T, cmap=DIVERGING, vmin=-LARGEST_RESIDUAL, vmax=LARGEST_RESIDUAL, rasterized=True
    )
    colour_bar(axes[3], mesh, extend="both", label="(measured − clean)/σ")
    titled(axes[3], "residual")
    for number, ax in enumerate(axes):
        ax.set(xlabel="|Q| (1/Å)" if number > 1 else "", ylabel="" if number % 2 else "Energy transfer (meV)")
    warning = str(found.attrs.get("foreign_reason", ""))
    title = str(found.attrs.get("source", ""))
    figure.suptitle(f"{title}   unlike the maps learned from: {warning}" if warning else title, fontsize="medium")
    return figure


def hatch_filled(ax: Axes, found: xr.Dataset) -> None:
    """Hatch the bins that were filled, and draw their border."""
    filled = found["filled"].transpose("q", "energy").values.astype(float)
    if filled.any() and not filled.all():
        middle = found["q"].values, found["energy"].values
        ax.contourf(*middle, filled.T, levels=[0.5, 1.5], colors="none", hatches=["////"]).set_edgecolor("0.6")
        ax.contour(*middle, filled.T, levels=[0.5], colors="white", linewidths=0.6)


def _edges(found: xr.Dataset) -> tuple[Array, Array]:
    return found["q_edges"].values, found["energy_edges"].values
