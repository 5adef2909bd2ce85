"""``inscape evaluate``: how good predictions are, measured on a library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from inscape.cli.terminal import progress_bar, write_text


def evaluate(
    library: Annotated[Path, typer.Option("--library", "-l", help="Folder of the library to compare with.")],
    split: Annotated[str, typer.Option(help="'val', or 'tune', the held-out part of the training crystals.")] = "val",
    road: Annotated[str, typer.Option(help="The road of the predictions: auto, force-constants or code.")] = "auto",
    max_atoms: Annotated[int, typer.Option(min=1, help="Leave out crystals with larger primitive cells.")] = 40,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many crystals.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File for the tables, in Markdown.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures of every crystal as JSON.")] = False,
) -> None:
    """Predict the crystals of a split and compare with the spectra of the library, beside simpler methods."""
    from inscape.evaluation import evaluate as evaluate_library

    with progress_bar("comparing") as report:
        result = evaluate_library(library, split, road=road, max_atoms=max_atoms, limit=limit, progress=report)
    if output is not None:
        write_text(output, result.markdown())
    typer.echo(json.dumps(result.to_dict(), ensure_ascii=False) if as_json else result.markdown())
