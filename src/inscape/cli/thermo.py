"""``inscape thermo``: what follows from the density of states of a file, at temperatures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inscape.cli.tables import two_digits
from inscape.cli.terminal import note, print_table, write_text
from inscape.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

ROWS = 25
"""Lines that a table on the terminal has at most; the CSV file has all."""

MOST = 10_000
"""Temperatures that may be asked for."""

HEADS = {
    "temperature_K": ("T / K", "{:g}"),
    "heat_capacity_J_per_mol_K": ("C_V / J mol⁻¹ K⁻¹", "{:.3f}"),
    "entropy_J_per_mol_K": ("S / J mol⁻¹ K⁻¹", "{:.3f}"),
    "internal_energy_J_per_mol": ("U / J mol⁻¹", "{:.1f}"),
    "free_energy_J_per_mol": ("F / J mol⁻¹", "{:.1f}"),
    "debye_temperature_K": ("θ_D / K", "{:.0f}"),
}
"""Heads and formats of the columns; those of displacements are made from the elements."""


def thermo(
    file: Annotated[Path, typer.Argument(metavar="FILE.nc", help="A file that inscape wrote, with the kind dos.")],
    temperatures: Annotated[
        str, typer.Option("--temperatures", "-t", help="First:last:step, or temperatures with commas between, K.")
    ] = "0:1000:10",
    csv: Annotated[Path | None, typer.Option(help="Write all temperatures and atoms as a CSV file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a figure: .png, .svg or .pdf.")] = None,
) -> None:
    """Heat capacity, entropy, energies, Debye temperature and displacements of the atoms, per mole of atoms."""
    kelvin = parse_temperatures(temperatures)
    from inscape.properties import as_table
    from inscape.results import Prediction

    prediction = Prediction.load(file)
    properties = prediction.thermodynamics(kelvin)
    table = as_table(properties)
    if csv is not None:
        write_text(csv, table.to_csv())
    if plot is not None:
        from inscape.plots import thermodynamics_figure, write_figure

        write_figure(thermodynamics_figure(properties), plot)
    a = properties.attrs
    every = -(-len(kelvin) // ROWS)
    print_table(_terminal_table(table.iloc[::every], f"{a['formula']}  {a['space_group']}, per mole of atoms"))
    known = "zero_point_energy_error" in properties
    error = f" ± {two_digits(float(properties['zero_point_energy_error']))}" if known else ""
    typer.echo(f"zero-point energy {float(properties['zero_point_energy']):.1f}{error} J mol⁻¹")
    if error:
        typer.echo("±: nine times out of ten off by less")
    if every > 1:
        typer.echo(f"one of {every} temperatures is shown; --csv writes all")
    if written := [str(path) for path in (csv, plot) if path is not None]:
        typer.echo(f"wrote {', '.join(written)}")
    if prediction.warning:
        note("warning", f"{file}: {prediction.warning}")


def parse_temperatures(text: str) -> list[float]:
    """Temperatures, K, from ``0:1000:10``, the last included, or from ``100,300``.

    Raises
    ------
    DataError
        Anything else, or more than `MOST`.
    """
    try:
        if ":" in text:
            first, last, step = (float(word) for word in text.split(":"))
            count = int((last - first) / step + 1e-9) + 1 if step > 0 and last >= first else 0
            found = [first + step * i for i in range(min(count, MOST + 1))]
        else:
            found = [float(word) for word in text.split(",")]
    except (ValueError, OverflowError):
        found = []
    if not found or len(found) > MOST:
        raise DataError(
            f"temperatures are {text!r}; expected first:last:step as 0:1000:10, or numbers as 100,300, {MOST} at most"
        )
    return found


def _cell(values: Mapping[str, float], name: str, text: str) -> str:
    """A value, and what it may be off by where that is known."""
    found = text.format(values[name]).replace("nan", "–")
    error = values.get(f"{name}_error", math.nan)
    return found if math.isnan(error) else f"{found} ± {two_digits(error)}"


def _terminal_table(table: pd.DataFrame, title: str) -> Table:
    """The table for people: of atoms of one element, the mean displacement."""
    from rich.table import Table

    shown = Table(title=title, title_justify="left")
    elements: dict[str, list[str]] = {}
    for name in (name for name in table.columns if name.startswith("u2_") and not name.endswith("_error")):
        elements.setdefault(name.split("_")[1].rstrip("0123456789"), []).append(name)
    for head in [*(head for head, _ in HEADS.values()), *(f"⟨u²⟩ {symbol} / Å²" for symbol in elements)]:
        shown.add_column(head, justify="right")
    for kelvin, row in table.iterrows():
        values = {"temperature_K": kelvin, **row}
        cells = [_cell(values, name, text) for name, (_, text) in HEADS.items()]
        cells += [f"{sum(row[name] for name in names) / len(names):.5f}" for names in elements.values()]
        shown.add_row(*cells)
    return shown
