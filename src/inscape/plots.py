"""Pictures of spectra: each function takes a dataset of `inscape.results` and an axis, and returns the axis.

No window is opened and no global state of matplotlib is touched; `overview` makes a figure of everything at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure as Figure
from matplotlib.figure import SubFigure
from numpy.typing import NDArray

from inscape.errors import DataError
from inscape.units import GAS_CONSTANT

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.floating]

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
"""Colours of elements, told apart by colour-blind eyes too (Okabe and Ito, 2008)."""

COLOUR_MAP = "magma"

INK = "0.15"

ELASTIC = 1.0
"""Colour limits are set by what lies above this energy, meV: below, S rises without bound."""

BRIGHTEST = 99.0
"""Percentile of the values that gets the brightest colour."""

DECADES = 2.5
"""Decades of intensity that a map shows: S falls with 1/E, and a linear scale would leave the upper half dark."""


def plot_dos(dataset: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Density of states: the shares of the elements on top of each other, and their sum as a line."""
    ax = ax or _new_axes()
    energy, partial_dos = dataset["energy"].values, dataset["partial_dos"]
    symbols = partial_dos["atom_symbol"].values
    below = np.zeros(len(energy))
    for index, symbol in enumerate(dict.fromkeys(symbols)):
        above = below + partial_dos.values[symbols == symbol].sum(axis=0)
        colour = COLOURS[index % len(COLOURS)]
        ax.fill_between(energy, below, above, color=colour, alpha=0.75, linewidth=0, label=str(symbol))
        below = above
    ax.plot(energy, below, color=INK, linewidth=0.9, label="total")
    ax.set(xlim=_limits(dataset, "energy"), ylim=(0, None))
    ax.set(xlabel=_label(dataset, "energy", "Energy"), ylabel=_label(dataset, "dos", "Density of states"))
    ax.legend(frameon=False, fontsize="small")
    return _titled(ax, "Density of states")


def plot_heat_capacity(dataset: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Heat capacity of a mole of atoms, the limit of Dulong and Petit, and the temperature of the maps."""
    ax = ax or _new_axes()
    values, kelvin = dataset["heat_capacity"], float(dataset.attrs["temperature_K"])
    ax.plot(values["temperature"], values, color=COLOURS[0], linewidth=1.6)
    ax.axhline(3 * GAS_CONSTANT, color="0.5", linewidth=0.8, linestyle="--")
    ax.text(0.02, 3 * GAS_CONSTANT + 0.3, "3R", transform=ax.get_yaxis_transform(), color="0.4", fontsize="small")
    top = float(values["temperature"].max())
    if 0 < kelvin <= top:
        here = float(values.interp(temperature=max(kelvin, float(values["temperature"].min()))))
        ax.plot([kelvin], [here], "o", color=COLOURS[5], markersize=5)
        text = f"{here:.2f} at {kelvin:g} K"
        ax.annotate(text, (kelvin, here), (8, -12), textcoords="offset points", fontsize="small")
    ax.set(xlim=(0, top), ylim=(0, 27.5))
    ax.set(xlabel=_label(dataset, "temperature", "Temperature"), ylabel=_label(dataset, "heat_capacity", "$C_V$"))
    return _titled(ax, "Heat capacity, per mole of atoms")


def plot_powder(dataset: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Powder map S(|Q|, E)."""
    ax = ax or _new_axes()
    values = dataset["powder"].transpose("energy", "q").values
    x, y = _edges(dataset["q"].values), _edges(dataset["energy"].values)
    norm = _logarithmic(values[dataset["energy"].values > ELASTIC])
    mesh = ax.pcolormesh(x, y, values, cmap=COLOUR_MAP, norm=norm, rasterized=True)
    ax.set(xlabel=_label(dataset, "q", "|Q|"), ylabel=_label(dataset, "energy", "Energy"))
    _colour_bar(ax, mesh)
    return _titled(ax, "Powder")


def plot_plane(dataset: xr.Dataset, ax: Axes | None = None, *, energy: float | None = None) -> Axes:
    """Single-crystal map in the plane at one energy, averaged over a tenth of it; lengths and angles are true.

    Parameters
    ----------
    energy
        Centre of the slice, meV; 15 % of the highest energy unless given.
    """
    ax = ax or _new_axes()
    grid = dataset["energy"].values
    energy = 0.15 * float(grid[-1]) if energy is None else energy
    near = np.abs(grid - energy) <= max(0.05 * energy, 0.51 * float(np.min(np.diff(grid))))
    if not near.any():
        raise DataError(f"no energy bin near {energy:g} meV; the map holds {grid[0]:g} to {grid[-1]:g} meV")
    values = dataset["crystal"].transpose("h", "k", "energy").values[..., near].mean(axis=-1)
    h, k = np.meshgrid(_edges(dataset["h"].values), _edges(dataset["k"].values), indexing="ij")
    x, y = _in_plane(dataset, h, k)
    mesh = ax.pcolormesh(x, y, values, cmap=COLOUR_MAP, norm=_logarithmic(values), rasterized=True)
    _frame_plane(dataset, ax)
    _colour_bar(ax, mesh, shrink=0.7)
    edges, where = _edges(grid), np.flatnonzero(near)
    return _titled(ax, f"Single crystal, {edges[where[0]]:.1f}–{edges[where[-1] + 1]:.1f} meV")


def plot_cut(dataset: xr.Dataset, ax: Axes | None = None, *, along: str = "h") -> Axes:
    """Single-crystal map S(Q, E) along one vector of the plane, next to the line where the other is 0."""
    ax = ax or _new_axes()
    other = {"h": "k", "k": "h"}[along]
    nearest = int(np.abs(dataset[other].values).argmin())
    values = dataset["crystal"].isel({other: nearest}).transpose("energy", along).values
    x, y = _edges(dataset[along].values), _edges(dataset["energy"].values)
    norm = _logarithmic(values[dataset["energy"].values > ELASTIC])
    mesh = ax.pcolormesh(x, y, values, cmap=COLOUR_MAP, norm=norm, rasterized=True)
    ax.set(xlabel=f"{along} ({dataset[along].attrs['units']})", ylabel=_label(dataset, "energy", "Energy"))
    _colour_bar(ax, mesh)
    vectors = dict(zip("hk", _plane_vectors(dataset), strict=True))
    low, high = _edges(dataset[other].values)[nearest : nearest + 2]
    return _titled(ax, f"Single crystal along {vectors[along]}, {other} = {low:.2g}–{high:.2g}")


def overview(dataset: xr.Dataset) -> Figure:
    """A figure with a panel for everything that the dataset holds.

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
    figure = Figure(figsize=(4.3 * columns + 0.3, 3.5 * rows + 0.9), dpi=150, layout="constrained")
    parts = figure.add_gridspec(2, 1, height_ratios=[0.62, 3.5 * rows])
    head, body = figure.add_subfigure(parts[0]), figure.add_subfigure(parts[1])
    grid = body.subplots(rows, columns, squeeze=False).ravel()
    for ax, panel in zip(grid, panels, strict=False):
        panel(dataset, ax)
    for ax in grid[len(panels) :]:
        ax.set_axis_off()
    _write_head(head, dataset.attrs)
    return figure


def write_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure in the format of the path's suffix.

    Raises
    ------
    DataError
        The suffix is unknown or the file cannot be written.
    """
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be written ({error}); name a file ending in .png or .pdf") from error


def formula_text(formula: str) -> str:
    """A formula with its numbers as subscripts, for matplotlib."""
    return re.sub(r"(\d+)", r"$_{\1}$", formula)


def space_group_text(symbol: str) -> str:
    """A space-group symbol with screw axes as subscripts and bars over numbers, for matplotlib."""
    return re.sub(r"-(\d)", r"$\\bar{\1}$", re.sub(r"_(\d)", r"$_\1$", symbol))


def _panels(dataset: xr.Dataset) -> list[Callable[[xr.Dataset, Axes], Axes]]:
    """What `overview` draws, in order."""
    panels: list[Callable[[xr.Dataset, Axes], Axes]] = []
    if "dos" in dataset:
        panels.append(plot_dos)
    if "powder" in dataset:
        panels.append(plot_powder)
    if "dos" in dataset:
        panels.append(plot_heat_capacity)
    if "crystal" in dataset:
        panels += [plot_plane, partial(plot_cut, along="h"), partial(plot_cut, along="k")]
    return panels


def _write_head(head: SubFigure, attributes: dict[str, object]) -> None:
    """Title, provenance, and the warning where there is one."""
    title = f"{formula_text(str(attributes['formula']))}   {space_group_text(str(attributes['space_group']))}"
    head.text(0.012, 0.84, title, fontsize=16, va="top", color=INK)
    made = f"{attributes['temperature_K']:g} K, engine: {attributes['engine']}, inscape {attributes['inscape_version']}"
    head.text(0.988, 0.80, made, fontsize=9, va="top", ha="right", color="0.35")
    if "warning" in attributes:
        head.text(0.012, 0.26, str(attributes["warning"]), fontsize=10, va="top", color="#B00020", weight="bold")
    elif "accuracy" in attributes:
        head.text(0.012, 0.26, str(attributes["accuracy"]), fontsize=9, va="top", color="0.35")


def _new_axes() -> Axes:
    return Figure(figsize=(5, 4), dpi=150, layout="constrained").subplots()


def _titled(ax: Axes, title: str) -> Axes:
    ax.set_title(title, fontsize="medium", loc="left")
    return ax


def _label(dataset: xr.Dataset, name: str, words: str) -> str:
    """Words and the unit of a variable."""
    return f"{words} ({dataset[name].attrs['units']})"


def _edges(middle: Array) -> Array:
    """Bin edges around bin centres; exact for equal steps."""
    inner = 0.5 * (middle[1:] + middle[:-1])
    return np.concatenate([[2 * middle[0] - inner[0]], inner, [2 * middle[-1] - inner[-1]]])


def _limits(dataset: xr.Dataset, name: str) -> tuple[float, float]:
    edges = _edges(dataset[name].values)
    return float(edges[0]), float(edges[-1])


def _brightest(values: Array) -> float:
    """The value that gets the brightest colour, never 0."""
    finite = values[np.isfinite(values)]
    return max(float(np.percentile(finite, BRIGHTEST)) if finite.size else 0.0, 1e-12)


def _logarithmic(values: Array) -> LogNorm:
    top = _brightest(values)
    return LogNorm(top / 10**DECADES, top, clip=True)


def _colour_bar(ax: Axes, mesh: QuadMesh, *, shrink: float = 1.0) -> None:
    figure = ax.get_figure(root=True)
    if figure is not None:
        bar = figure.colorbar(mesh, ax=ax, extend="max", pad=0.02, shrink=shrink)
        bar.set_label("S (barn sr⁻¹ meV⁻¹ per atom)", fontsize="small")
        bar.ax.tick_params(labelsize="small")


def _plane_vectors(dataset: xr.Dataset) -> list[str]:
    """The two vectors of the plane as ``[1 0 0]``."""
    return [f"[{row.strip()}]" for row in str(dataset.attrs["plane"]).split(";")]


def _in_plane(dataset: xr.Dataset, h: Array, k: Array) -> tuple[Array, Array]:
    """Cartesian coordinates of h and k, 1/Å, the first vector along x; the file says how long and oblique they are."""
    u, v = np.atleast_1d(dataset.attrs["plane_lengths_per_angstrom"])
    angle = np.deg2rad(float(dataset.attrs["plane_angle_degree"]))
    return h * u + k * v * np.cos(angle), k * v * np.sin(angle)


def _frame_plane(dataset: xr.Dataset, ax: Axes) -> None:
    """Oblique axes along the edges of the map, with ticks at whole h and k, and a scale bar of 1 1/Å."""
    ax.set_aspect("equal")
    ax.set_axis_off()
    ends = {name: _limits(dataset, name)[1] for name in "hk"}
    starts = {name: _limits(dataset, name)[0] for name in "hk"}
    away = 0.045 * max(np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim()))
    for name, vector in zip("hk", _plane_vectors(dataset), strict=True):
        every = max(1, round(ends[name] / 5))
        ticks = np.arange(np.ceil(starts[name]), ends[name] + 1e-9, every)
        middle = 0.5 * (starts[name] + ends[name])
        for tick, text in [*((t, f"{t:g}") for t in ticks), (middle, f"{name} {vector}, r.l.u.")]:
            h, k = (tick, starts["k"]) if name == "h" else (starts["h"], tick)
            x, y = (float(c) for c in _in_plane(dataset, np.array(h), np.array(k)))
            _edge_text(dataset, ax, name, (x, y), away * (1.0 if text == f"{tick:g}" else 2.9), text)


def _edge_text(dataset: xr.Dataset, ax: Axes, name: str, place: tuple[float, float], away: float, text: str) -> None:
    """Text beside the lower edge (h) or the left edge (k) of the plane, turned along it when it is long."""
    angle = float(dataset.attrs["plane_angle_degree"]) if name == "k" else 0.0
    normal = np.deg2rad(angle + 90 if name == "k" else -90)
    x, y = place[0] + away * np.cos(normal), place[1] + away * np.sin(normal)
    turned = angle if len(text) > 4 else 0.0
    size = "medium" if len(text) > 4 else "small"
    ax.text(x, y, text, ha="center", va="center", rotation=turned, rotation_mode="anchor", fontsize=size)


# ------------------------------------------------------------------------------------------------------ codes


def plot_code_map(coordinates: Array, values: Array | None = None, ax: Axes | None = None, *, label: str = "") -> Axes:
    """Codes as points in two coordinates, shape (n, 2), coloured by ``values``, shape (n,), that ``label`` names."""
    ax = ax or _new_axes()
    x, y = coordinates.T
    points = ax.scatter(x, y, c=INK if values is None else values, s=8, cmap=COLOUR_MAP, linewidths=0)
    ax.set_xticks([])
    ax.set_yticks([])
    if values is not None:
        ax.figure.colorbar(points, ax=ax, label=label)
    return _titled(ax, "Codes")


def plot_traversal(
    axis: Array, decoded: Array, values: Array, ax: Axes | None = None, *, label: str = "", name: str = "element"
) -> Axes:
    """Spectra, shape (steps, n), decoded along one element of a code, from its lowest value (dark) to its highest."""
    ax = ax or _new_axes()
    shades = colormaps[COLOUR_MAP](np.linspace(0, 0.85, len(values)))
    for spectrum, value, shade in zip(decoded, values, shades, strict=True):
        ax.plot(axis, spectrum, color=shade, label=f"{value:+.2g}")
    ax.set_xlabel(label)
    ax.legend(title=name, frameon=False, fontsize="small")
    return _titled(ax, f"Decoded along {name}")


def plot_curves(table: pd.DataFrame, ax: Axes | None = None, *, label: str = "", logarithmic: bool = True) -> Axes:
    """Columns of a table over its index, as `inscape.explore` makes them: rate–distortion, labels needed."""
    ax = ax or _new_axes()
    for colour, column in zip(COLOURS, table.columns, strict=False):
        ax.plot(table.index, table[column], "o-", color=colour, label=str(column))
    ax.set_xscale("log", base=2)
    if logarithmic:
        ax.set_yscale("log")
    ax.set_xlabel(str(table.index.name))
    ax.set_ylabel(label)
    ax.legend(frameon=False)
    return ax
