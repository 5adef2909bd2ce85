"""``inscape modes``: the vibrational modes at a wave vector, as a table, files, frames or a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inscape.cli import force_constants as given
from inscape.cli.terminal import print_table, write_text
from inscape.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from inscape.vibrations import Vibrations


def modes(
    file: given.Source,
    q: Annotated[
        str, typer.Option(help="Wave vector: h,k,l in units of the conventional cell, or a label such as X.")
    ] = "0,0,0",
    direction: Annotated[
        str | None,
        typer.Option(help="Direction h,k,l from which Γ is approached: LO–TO splitting, where Born charges are known."),
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write the table, one mode a line, as a CSV file.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the table as a JSON file.")] = None,
    animate: Annotated[
        int | None, typer.Option(help="Number of a mode: write one period of it as extended XYZ.")
    ] = None,
    draw: Annotated[int | None, typer.Option(help="Number of a mode: draw it with arrows.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File of --animate or --draw; <stem>-mode<number>.xyz or .png."),
    ] = None,
    amplitude: Annotated[float, typer.Option(help="Largest displacement of --animate, Å.")] = 0.3,
    engine: given.Engine = given.DEFAULT_ENGINE,
    length: given.Length = 10.0,
    supercell: given.Supercell = None,
    no_relax: given.NoRelax = False,
    cache: given.Cache = None,
) -> None:
    """List the vibrational modes at a wave vector: energies, symmetry, who moves, and what neutrons see.

    Degenerate modes share a line. Imaginary energies have a minus and an i. Shares of neutrons are those of the
    neutron-weighted density of states at this wave vector.
    """
    _check_output(output, animate, draw)
    point, towards = parse_wave_vector(q), None if direction is None else given.parse_numbers(direction, "direction")
    from inscape.vibrations import check_mode, mode_table, vibrations

    source = given.read_or_compute(file, engine, length, supercell, no_relax, cache)
    found = vibrations(source.force_constants, point, direction=towards)
    for number in (animate, draw):
        if number is not None:
            check_mode(found, number)
    table = mode_table(found)
    print_table(_terminal_table(table, found))
    for words in found.notes:
        typer.echo(f"note: {words}")
    written = _write_tables(table, found, source.engine, csv, json_file)
    if animate is not None:
        written.append(_animate(found, animate, output or Path(f"{file.stem}-mode{animate}.xyz"), amplitude))
    if draw is not None:
        written.append(_draw(found, draw, output or Path(f"{file.stem}-mode{draw}.png")))
    if written:
        typer.echo(f"wrote {', '.join(str(path) for path in written)}")
    given.warn(file, source)


def _check_output(output: Path | None, animate: int | None, draw: int | None) -> None:
    """`DataError` unless one file has one thing to be written to it."""
    if output is not None and animate is not None and draw is not None:
        raise DataError(f"{output} cannot be both a trajectory and a picture; give --animate and --draw one at a time")
    if output is not None and animate is None and draw is None:
        raise DataError(f"nothing goes to {output}: say which mode by --animate or --draw, or use --csv or --json")


def _write_tables(
    table: pd.DataFrame, found: Vibrations, engine: str, csv: Path | None, json_file: Path | None
) -> list[Path]:
    if csv is not None:
        write_text(csv, table.to_csv())
    if json_file is not None:
        write_text(json_file, _as_json(table, found, engine))
    return [path for path in (csv, json_file) if path is not None]


def parse_wave_vector(text: str) -> str | list[float]:
    """Three numbers from ``0.5,0,0``, or the label itself where the text holds no number."""
    if any(letter.isdigit() for letter in text) and ("," in text or " " in text.strip()):
        return given.parse_numbers(text, "wave vector")
    return text


def _terminal_table(table: pd.DataFrame, found: Vibrations) -> Table:
    """One line for each degenerate set."""
    from rich.table import Table

    crystal = found.crystal
    where = "Γ" if found.is_gamma else f"q = ({', '.join(f'{x:.4g}' for x in found.q)})"
    group = f", point group {found.point_group}" if found.point_group else ""
    shown = Table(title=f"{crystal.formula}  {crystal.space_group}, modes at {where}{group}", title_justify="left")
    elements = [name for name in table.columns if name.startswith("participation_") and name != "participation_ratio"]
    symmetry = ["irrep", "activity", "splitting"] if table["splitting"].notna().any() else ["irrep", "activity"]
    heads = [*(name.removeprefix("participation_") for name in elements), "part. ratio", "neutrons / %"]
    for head in ("modes", "E / meV", "cm⁻¹", "THz"):
        shown.add_column(head, justify="right")
    for head in symmetry:
        shown.add_column({"splitting": "LO–TO"}.get(head, head))
    for head in heads:
        shown.add_column(head, justify="right")
    for _, rows in table.groupby("set"):
        row, first, last = rows.iloc[0], rows.index[0], rows.index[-1]
        energies = zip(("energy_meV", "wavenumber_per_cm", "frequency_THz"), (2, 1, 3), strict=True)
        cells = [str(first) if first == last else f"{first}–{last}"]
        cells += [_energy(float(row[name]), digits, imaginary=bool(row["imaginary"])) for name, digits in energies]
        cells += [row[name] if isinstance(row[name], str) else "–" for name in symmetry]
        cells += [f"{row[name]:.3f}" for name in [*elements, "participation_ratio"]]
        cells.append(f"{100 * rows['neutron_total'].sum():.2f}")
        shown.add_row(*cells)
    return shown


def _energy(value: float, digits: int, *, imaginary: bool) -> str:
    """A number, with a minus and an i where the mode is imaginary; rounding errors of 0 have no sign."""
    text = f"{abs(value):.{digits}f}"
    return f"−{text}i" if imaginary else f"{value:.{digits}f}" if float(text) else text


def _as_json(table: pd.DataFrame, found: Vibrations, engine: str) -> str:
    import pandas as pd

    rows: list[dict[str, Any]] = table.reset_index().to_dict(orient="records")
    crystal = found.crystal
    about = {
        "formula": crystal.formula,
        "space_group": crystal.space_group,
        "point_group": found.point_group,
        "engine": engine,
        "wave_vector_rlu": [float(x) for x in found.q],
        "notes": list(found.notes),
        "modes": [{name: None if pd.isna(value) else value for name, value in row.items()} for row in rows],
    }
    return json.dumps(about, ensure_ascii=False, indent=2)


def _animate(found: Vibrations, number: int, place: Path, amplitude: float) -> Path:
    from inscape.vibrations import trajectory, write_trajectory

    write_trajectory(trajectory(found, number, amplitude=amplitude), place)
    return place


def _draw(found: Vibrations, number: int, place: Path) -> Path:
    from inscape.plots import mode_figure, write_figure

    write_figure(mode_figure(found, number), place)
    return place
