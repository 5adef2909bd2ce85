"""``inscape denoise``: a measured spectrum in, the clean one with its uncertainty and a picture out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from inscape.cli.measured import EnergyUnit
from inscape.cli.terminal import note


def denoise(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Powder map or density of states, in any format that inscape reads.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="NetCDF file to write; <stem>-clean.nc unless given.")
    ] = None,
    dose: Annotated[
        float | None, typer.Option(help="Counts in the whole spectrum, in place of the variances of the file.")
    ] = None,
    energy_unit: EnergyUnit = None,
    plot: Annotated[Path | None, typer.Option(help="Write a figure: .png, .svg or .pdf.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Remove the noise of a measured powder map or density of states, and fill what was not measured.

    Background, elastic line and resolution stay. A warning says that it is unlike those learned from.
    """
    from inscape.measured import denoise as clean
    from inscape.measured import read, save_cleaned

    found = clean(read(file, energy_unit=energy_unit), dose=dose)
    written = [save_cleaned(found, output or Path(f"{file.stem}-clean.nc"))]
    if plot is not None:
        from inscape.plots import cleaning_figure, write_figure

        write_figure(cleaning_figure(found), plot)
        written.append(plot)
    gaps = int(found["filled"].sum())
    facts = {
        "file": str(file),
        "kind": found.attrs["kind"],
        "bins_measured": found["filled"].size - gaps,
        "bins_filled": gaps,
        "foreign": bool(found.attrs["foreign"]),
        "foreign_reason": found.attrs["foreign_reason"],
        "structure_left": found.attrs["structure_left"],
        "code_distance": found.attrs["code_distance"],
        "written": [str(path) for path in written],
    }
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False, indent=2))
    else:
        typer.echo(f"{facts['bins_measured']} bins cleaned, {gaps} filled")
        typer.echo(f"wrote {' and '.join(str(path) for path in written)}")
    if facts["foreign"]:
        note("warning", f"{file}: unlike the spectra learned from: {facts['foreign_reason']}")
