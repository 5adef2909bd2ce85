"""A figure of two results beside each other: densities of states, differences of maps, cuts, and figures in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from inscape.plots.powder import Cut, draw_curves
from inscape.plots.spectra import frame_plane, in_plane
from inscape.plots.style import COLOURS, INK, colour_bar, formula_text, setting_text, titled
from inscape.scattering import Setting
from inscape.spectra import cut

Array = NDArray[np.floating]

DIVERGING = "RdBu_r"
"""White is no difference; lightness falls alike on both sides."""

CURVES = (INK, COLOURS[5])
"""Colours of the reference and of the other."""

COLUMNS = 3

DIFFERENCE = "ΔS (barn sr⁻¹ meV⁻¹ per atom)"

SYMMETRIC = 99.5
"""Percentile of the absolute differences that gets the darkest colour."""


def comparison_figure(
    comparisons: Sequence[tuple[xr.Dataset, Sequence[str]]], *, cuts: Sequence[Cut] | None = None
) -> Figure:
    """All comparisons in one figure, one block each.

    Parameters
    ----------
    comparisons
        For each, the spectra of an `inscape.compare.Comparison` and lines of text.
    cuts
        Cuts through the powder maps; two in the middle of things unless given.

    Raises
    ------
    GridError
        A cut that leaves the maps.
    """
    blocks = [_panels(spectra, lines, cuts) for spectra, lines in comparisons]
    rows = [-(-len(panels) // COLUMNS) for panels in blocks]
    figure = Figure(figsize=(11.0, 3.1 * sum(rows) + 0.4 * len(rows)), dpi=150, layout="constrained")
    parts = figure.subfigures(len(blocks), 1, squeeze=False, height_ratios=rows)[:, 0]
    for part, panels, count, (spectra, _) in zip(parts, blocks, rows, comparisons, strict=True):
        first, second = (str(name) for name in spectra["source"].values)
        kelvin = f", maps at {spectra.attrs['temperature_K']:g} K" if "temperature_K" in spectra.attrs else ""
        title = f"{formula_text(str(spectra.attrs['formula']))}   {second} beside {first}{kelvin}"
        part.suptitle(title, x=0.01, ha="left", fontsize="large")
        grid = part.subplots(count, COLUMNS, squeeze=False).ravel()
        for ax, panel in zip(grid, panels, strict=False):
            panel(ax)
        for ax in grid[len(panels) :]:
            ax.set_axis_off()
    return figure


def _panels(spectra: xr.Dataset, lines: Sequence[str], cuts: Sequence[Cut] | None) -> list[Callable[[Axes], None]]:
    """What is drawn of one comparison, in order."""
    panels: list[Callable[[Axes], None]] = []
    if "dos" in spectra:
        panels.append(lambda ax: _draw_dos(spectra, ax))
    if "powder" in spectra:
        chosen = _middle_cuts(spectra) if cuts is None else cuts
        panels.append(lambda ax: _draw_powder_difference(spectra, ax))
        panels += [lambda ax, one=one: _draw_cut(spectra, one, ax) for one in chosen]  # type: ignore[misc]
    if "crystal" in spectra:
        panels.append(lambda ax: _draw_plane_difference(spectra, ax))
    if "instrument_spectrum" in spectra:
        panels += [lambda ax, bank=bank: _draw_bank(spectra, bank, ax) for bank in spectra["bank"].values]  # type: ignore[misc]
    panels.append(lambda ax: _write_lines(lines, ax))
    return panels


def _middle_cuts(spectra: xr.Dataset) -> list[Cut]:
    """A tenth of |Q| in the middle, and of energy a tenth at a quarter."""
    q, energy = (spectra[f"{name}_edges"].values for name in ("q", "energy"))
    return [
        Cut("q", *(float(f"{np.interp(x, (0, 1), q[[0, -1]]):.2g}") for x in (0.45, 0.55))),
        Cut("energy", *(float(f"{np.interp(x, (0, 1), energy[[0, -1]]):.2g}") for x in (0.2, 0.3))),
    ]


def _draw_dos(spectra: xr.Dataset, ax: Axes) -> None:
    energy = spectra["energy_dos"].values
    for name, values, colour in zip(spectra["source"].values, spectra["dos"].values, CURVES, strict=True):
        ax.plot(energy, values, color=colour, linewidth=1.2, label=str(name))
    ax.set(
        xlim=(0, energy[-1]),
        ylim=(0, 1.3 * float(spectra["dos"].max())),
        xlabel="Energy (meV)",
        ylabel="Density of states (1/meV per atom)",
    )
    ax.legend(frameon=False, fontsize="small")
    titled(ax, "Density of states")


def _draw_powder_difference(spectra: xr.Dataset, ax: Axes) -> None:
    first, second = spectra["powder"].values
    x, y = spectra["q_edges"].values, spectra["energy_edges"].values
    difference = (second - first).T
    norm, ticks = _symmetric(difference)
    mesh = ax.pcolormesh(x, y, difference, cmap=DIVERGING, norm=norm, rasterized=True)
    colour_bar(ax, mesh, extend="both", label=DIFFERENCE, ticks=ticks)
    ax.set(xlabel="|Q| (1/Å)", ylabel="Energy (meV)")
    titled(ax, "Powder, difference: other − reference")


def _draw_plane_difference(spectra: xr.Dataset, ax: Axes) -> None:
    """At a sixth of the energies, averaged over a tenth of that."""
    edges = spectra["energy_edges"].values
    low, high = (float(f"{x * edges[-1]:.2g}") for x in (0.15, 0.18))
    slices = [cut(data, "energy", low, high, edges=edges).values for data in spectra["crystal"]]
    difference = slices[1] - slices[0]
    h, k = np.meshgrid(spectra["h_edges"].values, spectra["k_edges"].values, indexing="ij")
    x, y = in_plane(spectra, h, k)
    norm, ticks = _symmetric(difference)
    mesh = ax.pcolormesh(x, y, difference, cmap=DIVERGING, norm=norm, rasterized=True)
    frame_plane(spectra, ax)
    colour_bar(ax, mesh, extend="both", shrink=0.8, label=DIFFERENCE, ticks=ticks)
    titled(ax, f"Crystal, difference, {low:g} to {high:g} meV")


def _draw_cut(spectra: xr.Dataset, one: Cut, ax: Axes) -> None:
    other = "energy" if one.dim == "q" else "q"
    data = spectra["powder"]
    values = cut(data, one.dim, one.low, one.high, edges=spectra[f"{one.dim}_edges"].values)
    curves = {str(name): row for name, row in zip(spectra["source"].values, values.values, strict=True)}
    edges = spectra[f"{other}_edges"].values
    draw_curves(ax, edges, curves, CURVES, energy=other == "energy", log=other == "energy")
    ax.set(xlim=(edges[0], edges[-1]), xlabel="Energy (meV)" if other == "energy" else "|Q| (1/Å)")
    titled(ax, f"Powder, {one.in_words(data[one.dim].attrs['units'])}")


def _draw_bank(spectra: xr.Dataset, bank: str, ax: Axes) -> None:
    rows = spectra["instrument_spectrum"].sel(bank=bank).values
    curves = {str(name): row for name, row in zip(spectra["source"].values, rows, strict=True)}
    edges = spectra["energy_edges"].values
    draw_curves(ax, edges, curves, CURVES, energy=True)
    ax.set(xlim=(edges[0], edges[-1]), xlabel="Energy (meV)")
    setting = Setting.of_attributes(spectra.attrs)
    titled(ax, f"{setting_text(setting)}, {bank}" if setting is not None else str(bank))


def _write_lines(lines: Sequence[str], ax: Axes) -> None:
    ax.set_axis_off()
    ax.text(0.0, 1.0, "\n".join(lines), transform=ax.transAxes, va="top", fontsize="small", linespacing=1.4, wrap=True)


def _symmetric(difference: Array) -> tuple[SymLogNorm, list[float]]:
    """The same scale on both sides of 0, logarithmic but for the smallest differences; and its ticks."""
    top = max(float(np.percentile(np.abs(difference), SYMMETRIC)), 1e-12)
    decade = 10.0 ** np.floor(np.log10(top))
    ticks = [-decade, -decade / 10, 0.0, decade / 10, decade]
    return SymLogNorm(linthresh=decade / 10, linscale=0.5, vmin=-top, vmax=top), ticks
