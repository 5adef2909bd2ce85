"""Figures of a measured spectrum, what cleaning made of it, and how far that is to be believed."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from inscape.plots.comparison import DIVERGING
from inscape.plots.style import COLOUR_MAP, COLOURS, INK, colour_bar, logarithmic, titled

Array = NDArray[np.floating]

LARGEST_RESIDUAL = 4.0
"""Residuals have their full colour from here on, standard deviations of the measurement."""


def cleaning_figure(found: xr.Dataset) -> Figure:
    """As measured, clean, uncertainty, and residual in standard deviations; filled bins are hatched.

    Parameters
    ----------
    found
        Of `inscape.denoise`, a powder map or a density of states.
    """
    figure = _map_figure(found) if "q" in found["clean"].dims else _curve_figure(found)
    warning = str(found.attrs.get("foreign_reason", ""))
    title = str(found.attrs.get("source", ""))
    figure.suptitle(f"{title}   unlike the spectra learned from: {warning}" if warning else title, fontsize="medium")
    return figure


def _curve_figure(found: xr.Dataset) -> Figure:
    """Points with error bars and the clean curve with a band of its uncertainty; below, the residual."""
    figure = Figure(figsize=(8.0, 5.5), dpi=150, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    edges, energy = found["energy_edges"].values, found["energy"].values
    clean, spread = found["clean"].values, found["uncertainty"].values
    sigma = np.sqrt(found["variance"].values)
    upper.errorbar(energy, found["intensity"].values, sigma, fmt=".", color="0.55", elinewidth=0.7, label="as measured")
    upper.stairs(clean, edges, color=INK, linewidth=1.3, baseline=None, label="clean", zorder=3)
    upper.stairs(clean + spread, edges, baseline=clean - spread, fill=True, color=INK, alpha=0.2, linewidth=0)
    residual = found["residual"].values / np.where(sigma > 0, sigma, np.nan)
    lower.stairs(residual, edges, color=INK, linewidth=0.8, baseline=0.0, fill=True)
    filled = np.flatnonzero(found["filled"].values)
    for ax in (upper, lower):
        for number in filled:
            ax.axvspan(edges[number], edges[number + 1], color=COLOURS[1], alpha=0.25, linewidth=0)
    if len(filled):
        upper.axvspan(np.nan, np.nan, color=COLOURS[1], alpha=0.25, linewidth=0, label="filled")
    upper.set_ylabel(f"Density of states ({found['clean'].attrs.get('units', '')})")
    upper.legend(frameon=False, fontsize="small")
    lower.set(xlabel="Energy (meV)", ylabel="(measured − clean)/σ", xlim=(edges[0], edges[-1]))
    lower.set_ylim(-LARGEST_RESIDUAL, LARGEST_RESIDUAL)
    return figure


def _map_figure(found: xr.Dataset) -> Figure:
    """Four maps."""
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
