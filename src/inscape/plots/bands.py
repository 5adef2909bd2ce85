"""Bands over the intensity S(Q,E) along a path, beside the density of states."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from inscape.plots.style import (
    COLOUR_MAP,
    COLOURS,
    ELASTIC,
    INK,
    colour_bar,
    formula_text,
    logarithmic,
    space_group_text,
    titled,
)
from inscape.scattering.dos import SMALLEST_ENERGY
from inscape.spectra import centres

if TYPE_CHECKING:
    from inscape.vibrations import BandStructure

Array = NDArray[np.floating]

BAND_COLOUR = "#9fd8ff"
"""Seen on the dark and on the bright of the colour map."""


def bands_figure(bands: BandStructure) -> Figure:
    """Bands over their intensity, and the density of states of each element on the same axis of energy."""
    figure = Figure(figsize=(8.4, 4.6), dpi=200, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3.4, 1])
    plot_bands(bands, left)
    plot_sideways_dos(bands, right)
    crystal = bands.crystal
    title = f"{formula_text(crystal.formula)}   {space_group_text(crystal.space_group)}"
    figure.suptitle(title, x=0.01, ha="left", fontsize="large")
    return figure


def plot_bands(bands: BandStructure, ax: Axes) -> Axes:
    """Intensity of one phonon as a map, on a logarithmic scale, and bands as thin lines; each leg by itself."""
    along, edges = bands.along, bands.energy_edges
    distance = along.path.distance
    norm = logarithmic(bands.intensity[:, centres(edges) > ELASTIC])
    for leg in along.path.legs:
        walked = distance[leg]
        steps = np.concatenate([walked[:1], centres(walked), walked[-1:]])
        mesh = ax.pcolormesh(
            steps, edges, bands.intensity[leg].T, cmap=COLOUR_MAP, norm=norm, rasterized=True, antialiased=False
        )
        ax.plot(walked, along.energies[leg], color=BAND_COLOUR, linewidth=0.6, alpha=0.8)
    colour_bar(ax, mesh, extend="both")
    ticks = along.path.ticks
    for index, _ in ticks[1:-1]:
        ax.axvline(distance[index], color="0.7", linewidth=0.6)
    ax.set_xticks([distance[index] for index, _ in ticks], [label_text(label) for _, label in ticks])
    lowest = float(along.energies.min())
    ax.set(xlim=(distance[0], distance[-1]), ylim=(1.08 * lowest if lowest < -SMALLEST_ENERGY else 0.0, edges[-1]))
    if lowest < -SMALLEST_ENERGY:
        ax.axhline(0.0, color=INK, linewidth=0.6)
        ax.set_ylabel("Energy (meV), below 0 imaginary")
        ax.set_facecolor("0.35")
    else:
        ax.set_ylabel("Energy (meV)")
    zone = " ".join(f"{x:g}" for x in bands.zone).replace("-", "−")
    setting = f"{bands.temperature:g} K, lines {bands.fwhm:.2g} meV wide"
    return titled(ax, f"one phonon, coherent, at Q = ({zone}) + q, {setting}")


def plot_sideways_dos(bands: BandStructure, ax: Axes) -> Axes:
    """The density of states along the axis, energy up: total and that of each element."""
    energy = centres(bands.energy_edges)
    total = bands.partial_dos.sum(axis=0)
    ax.fill_betweenx(energy, total, color="0.88", linewidth=0)
    ax.plot(total, energy, color=INK, linewidth=0.9, label="all")
    symbols = np.array(bands.crystal.symbols)
    elements = list(dict.fromkeys(bands.crystal.symbols))
    for symbol, colour in zip(elements, COLOURS * len(elements), strict=False):
        if len(elements) > 1:
            part = bands.partial_dos[symbols == symbol].sum(axis=0)
            ax.plot(part, energy, color=colour, linewidth=0.9, label=symbol)
    ax.set(xlim=(0, 1.05 * float(total.max())), xlabel="DOS (1/meV)")
    ax.tick_params(labelleft=False)
    if len(elements) > 1:
        ax.legend(frameon=False, fontsize="small", handlelength=1.2)
    return titled(ax, "density of states")


def label_text(label: str) -> str:
    """A label such as ``X_1|K`` with its numbers as subscripts, for matplotlib."""
    return "|".join(f"{name}$_{{{number}}}$" if number else name for name, _, number in _parts(label))


def _parts(label: str) -> list[tuple[str, str, str]]:
    return [part.partition("_") for part in label.split("|")]
