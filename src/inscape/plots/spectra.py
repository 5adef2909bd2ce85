"""Pictures of spectra: each function takes a dataset of `inscape.results` and an axis, and returns the axis."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from inscape.errors import DataError
from inscape.plots.style import (
    COLOUR_MAP,
    COLOURS,
    ELASTIC,
    INK,
    colour_bar,
    label_of,
    logarithmic,
    new_axes,
    titled,
)
from inscape.spectra import edges_around
from inscape.units import GAS_CONSTANT

Array = NDArray[np.floating]

BAND = 0.25
"""Opacity of what holds the truth nine times out of ten."""

HELD = "holds 9 of 10 bins"


def plot_dos(dataset: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Density of states: the shares of the elements on top of each other, their sum as a line, and its interval."""
    ax = ax or new_axes()
    energy, partial_dos = dataset["energy"].values, dataset["partial_dos"]
    symbols = partial_dos["atom_symbol"].values
    below = np.zeros(len(energy))
    for index, symbol in enumerate(dict.fromkeys(symbols)):
        above = below + partial_dos.values[symbols == symbol].sum(axis=0)
        colour = COLOURS[index % len(COLOURS)]
        ax.fill_between(energy, below, above, color=colour, alpha=0.75, linewidth=0, label=str(symbol))
        below = above
    ax.plot(energy, below, color=INK, linewidth=0.9, label="total")
    if "dos_lower" in dataset:
        low, high = (dataset[name].values for name in ("dos_lower", "dos_upper"))
        ax.fill_between(energy, low, high, color=INK, alpha=BAND, linewidth=0, label=HELD)
    ax.set(xlim=_limits(dataset, "energy"), ylim=(0, None))
    ax.set(xlabel=label_of(dataset, "energy", "Energy"), ylabel=label_of(dataset, "dos", "Density of states"))
    ax.legend(facecolor="white", framealpha=0.85, edgecolor="none", fontsize="small")
    return titled(ax, "Density of states")


def plot_heat_capacity(dataset: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Heat capacity of a mole of atoms, the limit of Dulong and Petit, and the temperature of the maps."""
    ax = ax or new_axes()
    values, kelvin = dataset["heat_capacity"], float(dataset.attrs["temperature_K"])
    ax.plot(values["temperature"], values, color=COLOURS[0], linewidth=1.6)
    if "heat_capacity_error" in dataset:
        half = dataset["heat_capacity_error"].values
        ax.fill_between(values["temperature"], values - half, values + half, color=COLOURS[0], alpha=BAND, linewidth=0)
    ax.axhline(3 * GAS_CONSTANT, color="0.5", linewidth=0.8, linestyle="--")
    ax.text(0.02, 3 * GAS_CONSTANT + 0.3, "3R", transform=ax.get_yaxis_transform(), color="0.4", fontsize="small")
    top = float(values["temperature"].max())
    if 0 < kelvin <= top:
        here = float(values.interp(temperature=max(kelvin, float(values["temperature"].min()))))
        ax.plot([kelvin], [here], "o", color=COLOURS[5], markersize=5)
        text = f"{here:.2f} at {kelvin:g} K"
        ax.annotate(text, (kelvin, here), (8, -12), textcoords="offset points", fontsize="small")
    ax.set(xlim=(0, top), ylim=(0, 27.5))
    ax.set(xlabel=label_of(dataset, "temperature", "Temperature"), ylabel=label_of(dataset, "heat_capacity", "$C_V$"))
    return titled(ax, "Heat capacity, per mole of atoms")


def plot_powder(dataset: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Powder map S(|Q|, E)."""
    return titled(draw_powder(dataset, "powder", ax or new_axes()), "Powder")


def draw_powder(dataset: xr.Dataset, name: str, ax: Axes) -> Axes:
    """A map over |Q| and energy, by its name in the dataset."""
    values = dataset[name].transpose("energy", "q").values
    x, y = edges_around(dataset["q"].values), edges_around(dataset["energy"].values)
    norm = logarithmic(values[dataset["energy"].values > ELASTIC])
    mesh = ax.pcolormesh(x, y, values, cmap=COLOUR_MAP, norm=norm, rasterized=True)
    ax.set(xlabel=label_of(dataset, "q", "|Q|"), ylabel=label_of(dataset, "energy", "Energy"))
    colour_bar(ax, mesh)
    return ax


def plot_plane(dataset: xr.Dataset, ax: Axes | None = None, *, energy: float | None = None) -> Axes:
    """Single-crystal map in the plane at one energy, averaged over a tenth of it; lengths and angles are true.

    Parameters
    ----------
    energy
        Centre of the slice, meV; 15 % of the highest energy unless given.
    """
    ax = ax or new_axes()
    grid = dataset["energy"].values
    energy = 0.15 * float(grid[-1]) if energy is None else energy
    near = np.abs(grid - energy) <= max(0.05 * energy, 0.51 * float(np.min(np.diff(grid))))
    if not near.any():
        raise DataError(f"no energy bin near {energy:g} meV; the map holds {grid[0]:g} to {grid[-1]:g} meV")
    values = dataset["crystal"].transpose("h", "k", "energy").values[..., near].mean(axis=-1)
    h, k = np.meshgrid(edges_around(dataset["h"].values), edges_around(dataset["k"].values), indexing="ij")
    x, y = in_plane(dataset, h, k)
    mesh = ax.pcolormesh(x, y, values, cmap=COLOUR_MAP, norm=logarithmic(values), rasterized=True)
    frame_plane(dataset, ax)
    colour_bar(ax, mesh, shrink=0.7)
    edges, where = edges_around(grid), np.flatnonzero(near)
    return titled(ax, f"Single crystal, {edges[where[0]]:.1f}–{edges[where[-1] + 1]:.1f} meV")


def plot_cut(dataset: xr.Dataset, ax: Axes | None = None, *, along: str = "h") -> Axes:
    """Single-crystal map S(Q, E) along one vector of the plane, next to the line where the other is 0."""
    ax = ax or new_axes()
    other = {"h": "k", "k": "h"}[along]
    nearest = int(np.abs(dataset[other].values).argmin())
    values = dataset["crystal"].isel({other: nearest}).transpose("energy", along).values
    x, y = edges_around(dataset[along].values), edges_around(dataset["energy"].values)
    norm = logarithmic(values[dataset["energy"].values > ELASTIC])
    mesh = ax.pcolormesh(x, y, values, cmap=COLOUR_MAP, norm=norm, rasterized=True)
    ax.set(xlabel=f"{along} ({dataset[along].attrs['units']})", ylabel=label_of(dataset, "energy", "Energy"))
    colour_bar(ax, mesh)
    vectors = dict(zip("hk", _plane_vectors(dataset), strict=True))
    low, high = edges_around(dataset[other].values)[nearest : nearest + 2]
    return titled(ax, f"Single crystal along {vectors[along]}, {other} = {low:.2g}–{high:.2g}")


def _limits(dataset: xr.Dataset, name: str) -> tuple[float, float]:
    edges = edges_around(dataset[name].values)
    return float(edges[0]), float(edges[-1])


def _plane_vectors(dataset: xr.Dataset) -> list[str]:
    """The two vectors of the plane as ``[1 0 0]``."""
    return [f"[{row.strip()}]" for row in str(dataset.attrs["plane"]).split(";")]


def in_plane(dataset: xr.Dataset, h: Array, k: Array) -> tuple[Array, Array]:
    """Cartesian coordinates of h and k, 1/Å, the first vector along x; the file says how long and oblique they are."""
    u, v = np.atleast_1d(dataset.attrs["plane_lengths_per_angstrom"])
    angle = np.deg2rad(float(dataset.attrs["plane_angle_degree"]))
    return h * u + k * v * np.cos(angle), k * v * np.sin(angle)


def frame_plane(dataset: xr.Dataset, ax: Axes) -> None:
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
            x, y = (float(c) for c in in_plane(dataset, np.array(h), np.array(k)))
            _edge_text(dataset, ax, name, (x, y), away * (1.0 if text == f"{tick:g}" else 2.9), text)


def _edge_text(dataset: xr.Dataset, ax: Axes, name: str, place: tuple[float, float], away: float, text: str) -> None:
    """Text beside the lower edge (h) or the left edge (k) of the plane, turned along it when it is long."""
    angle = float(dataset.attrs["plane_angle_degree"]) if name == "k" else 0.0
    normal = np.deg2rad(angle + 90 if name == "k" else -90)
    x, y = place[0] + away * np.cos(normal), place[1] + away * np.sin(normal)
    turned = angle if len(text) > 4 else 0.0
    size = "medium" if len(text) > 4 else "small"
    ax.text(x, y, text, ha="center", va="center", rotation=turned, rotation_mode="anchor", fontsize=size)
