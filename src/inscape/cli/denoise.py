"""``inscape denoise``: a measured powder map in, the clean one with its uncertainty and a picture out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from inscape.cli.terminal import note


def denoise(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Powder map, in any format that inscape reads.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="NetCDF file to write; <stem>-clean.nc unless given.")
    ] = None,
    dose: Annotated[
        float | None, typer.Option(help="Counts in the whole map, in place of the variances of the file.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a figure: .png, .svg or .pdf.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Remove the noise of a measured powder map and fill what no detector reached.

    Background, elastic line and resolution stay. A warning says that the map is unlike those learned from.
    """
    from inscape.measured import denoise as clean
    from inscape.measured import read, save_cleaned

    found = clean(read(file, kind="powder map"), dose=dose)
    written = [save_cleaned(found, output or Path(f"{file.stem}-clean.nc"))]
    if plot is not None:
        from inscape.plots import cleaning_figure, write_figure

        write_figure(cleaning_figure(found), plot)
        written.append(plot)
    gaps = int(found["filled"].sum())
    facts = {
        "file": str(file),
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
        note("warning", f"{file}: unlike the maps learned from: {facts['foreign_reason']}")
