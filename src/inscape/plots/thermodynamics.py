"""Pictures of what `inscape.properties.thermal_properties` gives."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inscape.plots.style import COLOURS, INK, formula_text, label_of, new_axes, space_group_text, titled
from inscape.units import GAS_CONSTANT

KILO = 1000.0


def plot_capacity_and_entropy(properties: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Heat capacity, with the limit of Dulong and Petit, and entropy."""
    ax = ax or new_axes()
    kelvin = properties["temperature"].values
    ax.plot(kelvin, properties["heat_capacity"], color=COLOURS[0], label="$C_V$")
    ax.plot(kelvin, properties["entropy"], color=COLOURS[5], linestyle="--", label="entropy $S$")
    _band(ax, properties, "heat_capacity", COLOURS[0])
    _band(ax, properties, "entropy", COLOURS[5])
    ax.axhline(3 * GAS_CONSTANT, color="0.6", linewidth=0.8, linestyle=":", label="3R")
    ax.set(ylim=(0, None), ylabel=label_of(properties, "heat_capacity", "$C_V$, $S$"))
    return _finished(ax, properties, "Heat capacity and entropy")


def plot_energies(properties: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Internal and Helmholtz free energy, and the zero-point energy at which both begin."""
    ax = ax or new_axes()
    kelvin = properties["temperature"].values
    ax.plot(kelvin, properties["internal_energy"] / KILO, color=COLOURS[0], label="internal energy $U$")
    ax.plot(kelvin, properties["free_energy"] / KILO, color=COLOURS[5], linestyle="--", label="free energy $F$")
    _band(ax, properties, "internal_energy", COLOURS[0], 1 / KILO)
    _band(ax, properties, "free_energy", COLOURS[5], 1 / KILO)
    zero_point = float(properties["zero_point_energy"]) / KILO
    ax.axhline(zero_point, color="0.6", linewidth=0.8, linestyle=":", label=f"zero point, {zero_point:.2f} kJ mol⁻¹")
    ax.set(ylabel="$U$, $F$ (kJ mol⁻¹)")
    return _finished(ax, properties, "Energies of the phonons")


def plot_displacements(properties: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Mean-square displacements, one line an atom, one colour an element; atoms that move alike lie on one line."""
    ax = ax or new_axes()
    symbols = [str(symbol) for symbol in properties["atom_symbol"].values]
    colours = {symbol: COLOURS[i % len(COLOURS)] for i, symbol in enumerate(dict.fromkeys(symbols))}
    for index, symbol in enumerate(symbols):
        label = symbol if symbols.index(symbol) == index else None
        values = properties["displacement"].values[:, index]
        ax.plot(properties["temperature"], values, color=colours[symbol], linewidth=1.2, label=label)
        if label is not None:
            _band(ax, properties.isel(atom=index), "displacement", colours[symbol])
    ax.set(ylim=(0, None), ylabel="⟨u²⟩ (Å²)")
    return _finished(ax, properties, "Mean-square displacements of atoms")


def plot_debye_temperature(properties: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Debye temperature of the heat capacity, where that tells it."""
    ax = ax or new_axes()
    ax.plot(properties["temperature"], properties["debye_temperature"], color=INK)
    _band(ax, properties, "debye_temperature", INK)
    if np.isfinite(properties["debye_temperature"].values).any():
        ax.set(ylim=(0, None))
    ax.set(ylabel=label_of(properties, "debye_temperature", "$θ_D$"))
    return _finished(ax, properties, "Debye temperature of $C_V$", legend=False)


def _band(ax: Axes, properties: xr.Dataset, name: str, colour: str, factor: float = 1.0) -> None:
    """Shade what holds the truth nine times out of ten, where that is known."""
    if f"{name}_error" in properties:
        middle, half = (factor * properties[n].values for n in (name, f"{name}_error"))
        ax.fill_between(properties["temperature"], middle - half, middle + half, color=colour, alpha=0.2, linewidth=0)


def thermodynamics_figure(properties: xr.Dataset) -> Figure:
    """A figure of all of them, per mole of atoms."""
    figure = Figure(figsize=(8.4, 6.6), dpi=150, layout="constrained")
    draw = (plot_capacity_and_entropy, plot_energies, plot_displacements, plot_debye_temperature)
    for function, ax in zip(draw, figure.subplots(2, 2).ravel(), strict=True):
        function(properties, ax)
    a = properties.attrs
    title = f"{formula_text(str(a['formula']))}   {space_group_text(str(a['space_group']))}"
    bands = ", shaded: holds the truth nine times out of ten" if "heat_capacity_error" in properties else ""
    figure.suptitle(f"{title}   per mole of atoms, engine: {a['engine']}{bands}", x=0.01, ha="left", fontsize="large")
    return figure


def _finished(ax: Axes, properties: xr.Dataset, title: str, *, legend: bool = True) -> Axes:
    kelvin = properties["temperature"].values
    if len(kelvin) > 1 and kelvin.max() > kelvin.min():
        ax.set(xlim=(float(kelvin.min()), float(kelvin.max())))
    ax.set(xlabel="Temperature (K)")
    if legend:
        ax.legend(frameon=False, fontsize="small")
    return titled(ax, title)
