"""What all pictures share: colours, labels with units, colour scales, text, and how a figure is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from inscape.errors import DataError
from inscape.scattering import Setting

Array = NDArray[np.floating]

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
"""Colours of elements, told apart by colour-blind eyes too (Okabe and Ito, 2008)."""

COLOUR_MAP = "magma"
"""Perceptually uniform (S. van der Walt and N. Smith, 2015)."""

SCATTERING = "S (barn sr⁻¹ meV⁻¹ per atom)"

INK = "0.15"

ELASTIC = 1.0
"""Colour limits are set by what lies above this energy, meV: below, S rises without bound."""

BRIGHTEST = 99.0
"""Percentile of the values that gets the brightest colour."""

DECADES = 2.5
"""Decades of intensity that a map shows: S falls with 1/E, and a linear scale would leave the upper half dark."""


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
        raise DataError(f"{path}: cannot be written ({error}); name a file ending in .png, .svg or .pdf") from error


def formula_text(formula: str) -> str:
    """A formula with its numbers as subscripts, for matplotlib."""
    return re.sub(r"(\d+)", r"$_{\1}$", formula)


def space_group_text(symbol: str) -> str:
    """A space-group symbol with screw axes as subscripts and bars over numbers, for matplotlib."""
    return re.sub(r"-(\d)", r"$\\bar{\1}$", re.sub(r"_(\d)", r"$_\1$", symbol))


def setting_text(setting: Setting) -> str:
    """Name and fixed energy of a spectrometer, for matplotlib."""
    return f"{setting.name}, ${setting.symbol}$ = {setting.fixed_energy:.4g} meV"


def new_axes() -> Axes:
    """Axes of a figure of their own."""
    return Figure(figsize=(5, 4), dpi=150, layout="constrained").subplots()


def titled(ax: Axes, title: str) -> Axes:
    """The axes with a title at the left."""
    ax.set_title(title, fontsize="medium", loc="left")
    return ax


def label_of(dataset: xr.Dataset, name: str, words: str) -> str:
    """Words and the unit of a variable."""
    return f"{words} ({dataset[name].attrs['units']})"


def brightest(values: Array) -> float:
    """The value that gets the brightest colour, never 0."""
    finite = values[np.isfinite(values)]
    return max(float(np.percentile(finite, BRIGHTEST)) if finite.size else 0.0, 1e-12)


def logarithmic(values: Array) -> LogNorm:
    """A logarithmic scale of `DECADES` up to the brightest value."""
    top = brightest(values)
    return LogNorm(top / 10**DECADES, top, clip=True)


def colour_bar(
    ax: Axes,
    mesh: QuadMesh,
    *,
    shrink: float = 1.0,
    extend: str = "max",
    label: str = SCATTERING,
    ticks: Sequence[float] | None = None,
) -> None:
    """A colour bar beside the axes, with its unit."""
    figure = ax.get_figure(root=True)
    if figure is not None:
        bar = figure.colorbar(mesh, ax=ax, extend=extend, pad=0.02, shrink=shrink, ticks=ticks)
        bar.set_label(label, fontsize="small")
        bar.ax.tick_params(labelsize="small")
