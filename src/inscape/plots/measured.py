"""Pictures of measured spectra: theory fitted to a map, and the density of states found in one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from inscape.plots.comparison import DIVERGING
from inscape.plots.powder import NAMES, Cut
from inscape.plots.style import COLOUR_MAP, COLOURS, INK, colour_bar, formula_text, setting_text, titled
from inscape.scattering import Setting
from inscape.spectra import centres

Array = NDArray[np.floating]

WORST = 5.0
"""Residuals of so many standard deviations get the darkest colours."""

TOP = 99.5
"""Percentile of the intensities fitted that gets the brightest colour."""

LINE = COLOURS[5]


def fit_figure(spectra: xr.Dataset, lines: Sequence[str], *, cuts: Sequence[Cut] | None = None) -> Figure:
    """A measurement beside the theory fitted to it: both maps, residuals in standard deviations, cuts with error bars.

    Parameters
    ----------
    spectra
        Of a `inscape.measured.fitting.Fit`.
    lines
        Lines of text.
    cuts
        Cuts through a map, of the bins fitted; one along energy and one along |Q| unless given.
    """
    if "q" not in spectra["intensity"].dims:
        figure = Figure(figsize=(8.5, 3.6), dpi=150, layout="constrained")
        ax, text = figure.subplots(1, 2, width_ratios=[2, 1])
        draw_cut(ax, spectra["energy_edges"].values, *_values(spectra), "energy")
        _write(text, lines)
        return figure
    chosen = middle_cuts(spectra) if cuts is None else cuts
    rows = 1 + -(-(len(chosen) + 1) // 3)
    figure = Figure(figsize=(11.0, 3.2 * rows), dpi=150, layout="constrained")
    figure.suptitle(_title(spectra.attrs), x=0.01, ha="left", fontsize="large")
    axes = figure.subplots(rows, 3, squeeze=False).ravel()
    fitted = np.isfinite(spectra["residual"].values)
    top = float(np.percentile(spectra["intensity"].values[fitted], TOP))
    norm = Normalize(0.0, max(top, 1e-300))
    titles = {"intensity": "Measured", "model": "Theory, scaled, and background"}
    for ax, (name, title) in zip(axes, titles.items(), strict=False):
        shown = np.where(np.isfinite(spectra["intensity"].values), spectra[name].values, np.nan)
        _draw_map(ax, spectra, shown, norm, COLOUR_MAP, "Intensity", "max")
        titled(ax, title)
    _draw_map(axes[2], spectra, spectra["residual"].values, Normalize(-WORST, WORST), DIVERGING, "(m − t)/σ", "both")
    titled(axes[2], "Residual")
    for ax, one in zip(axes[3:], chosen, strict=False):
        other = "energy" if one.dim == "q" else "q"
        draw_cut(ax, spectra[f"{other}_edges"].values, *average(spectra, one), other)
        titled(ax, one.in_words(spectra[one.dim].attrs["units"]))
    _write(axes[3 + len(chosen)], lines)
    for ax in axes[4 + len(chosen) :]:
        ax.set_axis_off()
    return figure


def dos_figure(
    dos: xr.Dataset, spectra: xr.Dataset, lines: Sequence[str], reference: xr.Dataset | None = None
) -> Figure:
    """A density of states with its errors, and what of the intensity one and many phonons are.

    Parameters
    ----------
    dos, spectra
        Of a `inscape.measured.density_of_states.FoundDos`.
    lines
        Lines of text.
    reference
        Another density of states, drawn with the same area.
    """
    figure = Figure(figsize=(11.0, 3.8), dpi=150, layout="constrained")
    left, middle, text = figure.subplots(1, 3, width_ratios=[1.4, 1.2, 1.0])
    edges, values = dos["energy_edges"].values, dos["intensity"].values
    left.stairs(values, edges, color=INK, linewidth=1.2, label="from the map")
    error = np.sqrt(dos["variance"].values)
    left.errorbar(centres(edges), values, error, fmt="none", ecolor=INK, elinewidth=0.8)
    if reference is not None:
        bins, other = reference["energy_edges"].values, reference["intensity"].values
        area = float(np.sum(values * np.diff(edges)) / np.nansum(other * np.diff(bins)))
        name = str(reference.attrs.get("source", "reference"))
        left.stairs(area * other, bins, color=LINE, linewidth=1.0, label=name)
    left.set(xlim=(0, edges[-1]), ylim=(0, None), xlabel="Energy (meV)", ylabel="Density of states (1/meV per atom)")
    left.legend(frameon=False, fontsize="small")
    titled(left, "Density of states")
    used = np.isfinite(spectra["one_phonon"].values)
    for name, label, colour in (
        ("intensity", "measured", INK), ("one_phonon", "one phonon", COLOURS[0]), ("many_phonons", "many", COLOURS[1])
    ):  # fmt: skip
        total = np.where(used.any(axis=0), np.where(used, spectra[name].values, 0.0).sum(axis=0), np.nan)
        middle.stairs(total, spectra["energy_edges"].values, color=colour, linewidth=1.1, label=label, baseline=None)
    middle.set(xlim=spectra["energy"].values[used.any(axis=0)][[0, -1]])
    middle.set(xlabel=f"{NAMES['energy']} (meV)", ylabel="Intensity, sum over |Q|", ylim=(0, None))
    middle.legend(frameon=False, fontsize="small")
    titled(middle, "What it was found in")
    _write(text, lines)
    return figure


def middle_cuts(spectra: xr.Dataset) -> list[Cut]:
    """Of the bins fitted, a tenth of |Q| in the middle, and of energy a tenth at a third."""
    fitted = np.isfinite(spectra["residual"].values)
    q = spectra["q"].values[fitted.any(axis=1)][[0, -1]]
    energy = spectra["energy"].values[fitted.any(axis=0)][[0, -1]]
    parts = (("q", q, (0.45, 0.55)), ("energy", energy, (0.25, 0.35)))
    return [Cut(dim, *(float(f"{ends[0] + x * np.ptp(ends):.3g}") for x in range_)) for dim, ends, range_ in parts]


def average(spectra: xr.Dataset, one: Cut) -> tuple[Array, Array, Array]:
    """Means of intensity, its error and model over the bins of a cut that were fitted; NaN where there are none."""
    edges = spectra[f"{one.dim}_edges"].values
    share = np.clip(np.minimum(edges[1:], one.high) - np.maximum(edges[:-1], one.low), 0.0, None)
    axis = 0 if one.dim == "q" else 1
    weights = np.isfinite(spectra["residual"].values) * (share[:, None] if axis == 0 else share[None, :])
    total = weights.sum(axis=axis)
    total = np.where(total > 0, total, np.nan)
    intensity, variance, model = (np.nan_to_num(spectra[name].values) for name in ("intensity", "variance", "model"))
    means = [(weights * values).sum(axis=axis) / total for values in (intensity, model)]
    return means[0], np.sqrt((weights**2 * variance).sum(axis=axis)) / total, means[1]


def draw_cut(ax: Axes, edges: Array, values: Array, error: Array, model: Array, axis: str) -> None:
    """Points with error bars, and the model as a line."""
    middle = centres(edges)
    ax.errorbar(middle, values, error, fmt="o", markersize=2.5, color=INK, elinewidth=0.8, label="measured")
    ax.stairs(model, edges, color=LINE, linewidth=1.3, baseline=None, label="theory", zorder=3)
    known = np.flatnonzero(np.isfinite(values))
    if len(known):
        ax.set_xlim(edges[known[0]], edges[known[-1] + 1])
    ax.set(xlabel=f"{NAMES[axis]} ({'meV' if axis == 'energy' else '1/Å'})", ylabel="Intensity")
    ax.legend(frameon=False, fontsize="small")


def _draw_map(
    ax: Axes, spectra: xr.Dataset, values: Array, norm: Normalize, colours: str, label: str, extend: str
) -> None:
    q, energy = spectra["q_edges"].values, spectra["energy_edges"].values
    mesh = ax.pcolormesh(q, energy, values.T, cmap=colours, norm=norm, rasterized=True)
    colour_bar(ax, mesh, extend=extend, label=label)
    fitted = np.flatnonzero(np.isfinite(spectra["residual"].values).any(axis=0))
    ax.set(xlabel="|Q| (1/Å)", ylabel=f"{NAMES['energy']} (meV)")
    ax.set_ylim(energy[fitted[0]], energy[fitted[-1] + 1])


def _values(spectra: xr.Dataset) -> tuple[Array, Array, Array]:
    intensity, variance, model = (spectra[name].values for name in ("intensity", "variance", "model"))
    return intensity, np.sqrt(np.nan_to_num(variance)), model


def _title(attributes: dict[str, object]) -> str:
    setting = Setting.of_attributes(attributes)
    seen = f", {setting_text(setting)}" if setting is not None else ""
    return f"{formula_text(str(attributes['formula']))} at {float(str(attributes['temperature_K'])):g} K{seen}"


def _write(ax: Axes, lines: Sequence[str]) -> None:
    ax.set_axis_off()
    ax.text(0.0, 1.0, "\n".join(lines), transform=ax.transAxes, va="top", fontsize="small", linespacing=1.4, wrap=True)
