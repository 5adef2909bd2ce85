"""Pictures of codes: maps, traversals, curves over their size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from numpy.typing import NDArray

from inscape.plots.style import COLOUR_MAP, COLOURS, INK, new_axes, titled

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.floating]


def plot_code_map(coordinates: Array, values: Array | None = None, ax: Axes | None = None, *, label: str = "") -> Axes:
    """Codes as points in two coordinates, shape (n, 2), coloured by ``values``, shape (n,), that ``label`` names."""
    ax = ax or new_axes()
    x, y = coordinates.T
    points = ax.scatter(x, y, c=INK if values is None else values, s=8, cmap=COLOUR_MAP, linewidths=0)
    ax.set_xticks([])
    ax.set_yticks([])
    if values is not None:
        ax.figure.colorbar(points, ax=ax, label=label)
    return titled(ax, "Codes")


def plot_traversal(
    axis: Array, decoded: Array, values: Array, ax: Axes | None = None, *, label: str = "", name: str = "element"
) -> Axes:
    """Spectra, shape (steps, n), decoded along one element of a code, from its lowest value (dark) to its highest."""
    ax = ax or new_axes()
    shades = colormaps[COLOUR_MAP](np.linspace(0, 0.85, len(values)))
    for spectrum, value, shade in zip(decoded, values, shades, strict=True):
        ax.plot(axis, spectrum, color=shade, label=f"{value:+.2g}")
    ax.set_xlabel(label)
    ax.legend(title=name, frameon=False, fontsize="small")
    return titled(ax, f"Decoded along {name}")


def plot_curves(table: pd.DataFrame, ax: Axes | None = None, *, label: str = "", logarithmic: bool = True) -> Axes:
    """Columns of a table over its index, as `inscape.explore` makes them: rate–distortion, labels needed."""
    ax = ax or new_axes()
    for colour, column in zip(COLOURS, table.columns, strict=False):
        ax.plot(table.index, table[column], "o-", color=colour, label=str(column))
    ax.set_xscale("log", base=2)
    if logarithmic:
        ax.set_yscale("log")
    ax.set_xlabel(str(table.index.name))
    ax.set_ylabel(label)
    ax.legend(frameon=False)
    return ax
