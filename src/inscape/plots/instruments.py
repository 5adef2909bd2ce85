"""Pictures of what an instrument sees, as datasets of `inscape.results` hold it."""

from __future__ import annotations

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inscape.plots.spectra import draw_powder
from inscape.plots.style import COLOURS, ELASTIC, SCATTERING, formula_text, label_of, new_axes, setting_text, titled
from inscape.scattering import Setting

DPI = 300


def instrument_figure(dataset: xr.Dataset, *, log: bool = False) -> Figure:
    """The spectra of the banks of an instrument, for a paper; arguments as for `plot_instrument_spectrum`."""
    figure = Figure(figsize=(4.8, 3.4), dpi=DPI, layout="constrained")
    ax = plot_instrument_spectrum(dataset, figure.subplots(), log=log)
    kelvin = f"{float(dataset.attrs['temperature_K']):g} K"
    titled(ax, f"{formula_text(str(dataset.attrs['formula']))}, {kelvin}, {_instrument(dataset)}")
    return figure


def plot_instrument_map(dataset: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Powder map as an instrument sees it; blank where no detector is."""
    ax = draw_powder(dataset, "instrument_map", ax or new_axes())
    return titled(ax, f"Powder, {_instrument(dataset)}")


def plot_instrument_spectrum(dataset: xr.Dataset, ax: Axes | None = None, *, log: bool = False) -> Axes:
    """Spectrum of each bank of an instrument, and its part by two and more phonons, broken.

    Parameters
    ----------
    log
        Logarithmic scale of intensity; its limits follow what lies above 1 meV.
    """
    ax = ax or new_axes()
    edges, spectra = dataset["energy_edges"].values, dataset["instrument_spectrum"].values
    many = dataset["instrument_multiphonon"].sum("order").values if "instrument_multiphonon" in dataset else None
    for index, bank in enumerate(dataset["bank"].values):
        colour = COLOURS[index % len(COLOURS)]
        ax.stairs(spectra[index], edges, baseline=None, color=colour, linewidth=1.1, label=str(bank))
        if many is not None:
            label = f"{bank}, many phonons"
            ax.stairs(many[index], edges, baseline=None, color=colour, linestyle=":", label=label)
    shown = spectra[:, dataset["energy"].values > ELASTIC]
    top = float(shown.max(initial=0.0))
    if log:
        ax.set_yscale("log")
    if top > 0:
        ax.set_ylim((max(float(shown.min()), 1e-4 * top), 1.5 * top) if log else (0.0, 1.08 * top))
    ax.set(xlim=(edges[0], edges[-1]), xlabel=label_of(dataset, "energy", "Energy"), ylabel=SCATTERING)
    ax.legend(frameon=False, fontsize="small")
    return titled(ax, _instrument(dataset))


def _instrument(dataset: xr.Dataset) -> str:
    """Name and fixed energy."""
    setting = Setting.of_attributes(dataset.attrs)
    return "" if setting is None else setting_text(setting)
