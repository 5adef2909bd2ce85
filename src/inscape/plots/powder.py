"""A figure of one powder map for a paper: the map, what an instrument sees of it, and cuts through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.path import Path as MplPath
from numpy.typing import NDArray

from inscape.errors import DataError
from inscape.plots.style import (
    COLOUR_MAP,
    ELASTIC,
    SCATTERING,
    brightest,
    colour_bar,
    formula_text,
    logarithmic,
    setting_text,
    titled,
)
from inscape.scattering import Instrument, Setting, q_limits
from inscape.spectra import centres, cut, whole_powder

Array = NDArray[np.floating]

SYMBOLS = {"q": "|Q|", "energy": "E"}
NAMES = {"q": "|Q|", "energy": "Energy transfer"}

CUT_COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7")
"""Colours seen on the dark of a map and on white paper alike (Okabe and Ito, 2008)."""

DPI = 300


@dataclass(frozen=True)
class Cut:
    """A cut through a powder map: the axis that is averaged over, "q" or "energy", and the range."""

    dim: str
    low: float
    high: float

    def in_words(self, unit: str) -> str:
        """Symbol, range and unit."""
        return f"{SYMBOLS[self.dim]} = {self.low:g} to {self.high:g} {unit}"


def powder_figure(
    dataset: xr.Dataset, *, cuts: Sequence[Cut] = (), log: bool = False, instrument: Instrument | None = None
) -> Figure:
    """The powder map S(|Q|,E), many phonons included if the dataset holds them, with cuts beside it.

    Parameters
    ----------
    dataset
        Of `inscape.results`, with a powder map.
    cuts
        Each becomes a panel; their ranges are marked in the map. They are averages as of `inscape.spectra.cut`.
    log
        Logarithmic scales of intensity, in the map and in the cuts.
    instrument
        Broadens the map in energy; what none of its detectors reaches stays blank, and the limits are drawn. Without
        one, a map is drawn as the instrument sees it for which the dataset was made, if any.

    Raises
    ------
    DataError
        There is no powder map.
    GridError
        A cut that leaves the map.
    InstrumentError
        An instrument whose resolution is not known at these energies.
    """
    if "powder" not in dataset:
        raise DataError("the file holds no powder map; make it with the kind 'powder'")
    edges = {name: dataset[f"{name}_edges"].values for name in ("q", "energy")}
    data = whole_powder(dataset)
    setting: Setting | None = instrument
    if instrument is None and "instrument_map" in dataset:
        data, setting = dataset["instrument_map"].transpose("q", "energy"), Setting.of_attributes(dataset.attrs)
    if instrument is not None:
        data = data.copy(data=instrument.measure(data.values.astype(float), edges["q"], edges["energy"]))
    figure = Figure(
        figsize=(7.2 if cuts else 4.4, max(3.4, 1.9 * len(cuts))), dpi=DPI, layout=ConstrainedLayoutEngine(w_pad=0.08)
    )
    grid = figure.add_gridspec(max(len(cuts), 1), 2 if cuts else 1, width_ratios=[1.2, 1] if cuts else None)
    ax = figure.add_subplot(grid[:, 0])
    _draw_map(ax, data, edges, log=log, instrument=setting)
    _mark(ax, cuts)
    kelvin = f"{float(dataset.attrs['temperature_K']):g} K"
    seen = "" if setting is None else f", {setting_text(setting)}"
    titled(ax, f"{formula_text(str(dataset.attrs['formula']))}, {kelvin}{seen}")
    for row, one in enumerate(cuts):
        panel, colour = figure.add_subplot(grid[row, 1]), CUT_COLOURS[row % len(CUT_COLOURS)]
        _draw_cut(panel, data, edges, one, log=log, colour=colour, instrument=setting)
    return figure


def _draw_map(ax: Axes, data: xr.DataArray, edges: dict[str, Array], *, log: bool, instrument: Setting | None) -> None:
    shown = data.values[:, centres(edges["energy"]) > ELASTIC]
    factor, label = (1.0, SCATTERING) if log else in_powers_of_ten(brightest(shown))
    norm: Normalize | LogNorm = logarithmic(shown) if log else Normalize(0.0, factor * brightest(shown))
    values = factor * data.values.T
    mesh = ax.pcolormesh(edges["q"], edges["energy"], values, cmap=COLOUR_MAP, norm=norm, rasterized=True)
    colour_bar(ax, mesh, label=label)
    top = top_energy(edges, instrument)
    if instrument is not None:
        _draw_limits(ax, mesh, instrument, np.linspace(float(edges["energy"][0]), top, 400))
    ax.set(xlim=(edges["q"][0], edges["q"][-1]), ylim=(edges["energy"][0], top))
    ax.set(xlabel=_axis_label(data, "q"), ylabel=_axis_label(data, "energy"))


def _draw_limits(ax: Axes, mesh: QuadMesh, instrument: Setting, energy: Array) -> None:
    """The limits of each range of angles, along which the map is clipped; a bank at one angle is its bins alone."""
    outlines = []
    for low, high in q_limits(energy, instrument.angles, **instrument.geometry):
        if np.allclose(low, high):
            continue
        for line in (low, high):
            ax.plot(line, energy, color="0.25", linewidth=0.8)
        ends = np.concatenate([low, high[::-1]]), np.concatenate([energy, energy[::-1]])
        outlines.append(MplPath(np.column_stack(ends), closed=False))
    if outlines:
        mesh.set_clip_path(MplPath.make_compound_path(*outlines), ax.transData)


def top_energy(edges: dict[str, Array], instrument: Setting | None) -> float:
    """Where axes of energy end: at the incident energy, if the map goes further."""
    top = float(edges["energy"][-1])
    return min(top, instrument.fixed_energy) if instrument is not None and instrument.kind == "direct" else top


def _mark(ax: Axes, cuts: Sequence[Cut]) -> None:
    """The range of each cut, between dashed lines of the colour of its panel."""
    for row, one in enumerate(cuts):
        line = ax.axvline if one.dim == "q" else ax.axhline
        for end in (one.low, one.high):
            line(end, color=CUT_COLOURS[row % len(CUT_COLOURS)], linewidth=1.0, linestyle="--")


def _draw_cut(
    ax: Axes,
    data: xr.DataArray,
    edges: dict[str, Array],
    one: Cut,
    *,
    log: bool,
    colour: str,
    instrument: Setting | None,
) -> None:
    other = "energy" if one.dim == "q" else "q"
    values = cut(data, one.dim, one.low, one.high, edges=edges[one.dim]).values
    top = top_energy(edges, instrument) if other == "energy" else edges[other][-1]
    draw_curves(ax, edges[other], {"": values}, (colour,), energy=other == "energy", log=log)
    ax.set(xlim=(edges[other][0], top), xlabel=_axis_label(data, other))
    titled(ax, one.in_words(data[one.dim].attrs["units"]))


def draw_curves(
    ax: Axes, edges: Array, curves: Mapping[str, Array], colours: Sequence[str], *, energy: bool, log: bool = False
) -> None:
    """Curves on bins, each value as wide as its bin; along energy, limits are set by what lies above `ELASTIC`."""
    use = centres(edges) > ELASTIC if energy else np.ones(len(edges) - 1, dtype=bool)
    shown = np.concatenate([values[use] for values in curves.values()])
    finite = shown[np.isfinite(shown)]
    top = float(finite.max(initial=0.0))
    factor, label = (1.0, SCATTERING) if log else in_powers_of_ten(top)
    for (name, values), colour in zip(curves.items(), colours, strict=False):
        ax.stairs(factor * values, edges, color=colour, linewidth=1.1, baseline=None, label=name)
    ax.set_ylabel(label.replace(" per", "\nper"), fontsize="small")
    if top <= 0:
        return
    if log:
        bottom = max(float(finite[finite > 0].min()), 1e-4 * top)
        ax.set_yscale("log")
        ax.set_ylim(10 ** np.floor(np.log10(bottom)), 10 ** np.ceil(np.log10(top)))
    else:
        ax.set_ylim(0, 1.08 * factor * top)


def in_powers_of_ten(top: float) -> tuple[float, str]:
    """What values up to ``top`` are multiplied by to be from 1 to 10, and the label that says so."""
    power = int(np.floor(np.log10(top))) if top > 0 else 0
    if power in (0, 1):
        return 1.0, SCATTERING
    return 10.0**-power, SCATTERING.replace("(barn", f"($10^{{{power}}}$ barn")


def _axis_label(data: xr.DataArray, name: str) -> str:
    return f"{NAMES[name]} ({data[name].attrs['units']})"
