"""``inscape index``: make the file that searches need of a library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inscape.cli.terminal import progress_bar

app = typer.Typer(help="Make an index: all that a search needs of a library, in one small file.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command("build")
def build(
    library: Annotated[Path, typer.Argument(help="Folder of the library.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write, .safetensors.")],
    components: Annotated[int, typer.Option(min=1, help="Length of the codes of powder maps.")] = 128,
) -> None:
    """Encode the clean crystals of the splits train and val of a library into one file, about 1 kB each."""
    from inscape.index import build_index

    with progress_bar("encoding") as report:
        found = build_index(library, output, n_components=components, progress=report)
    typer.echo(f"{output}: {len(found)} crystals, {output.stat().st_size / 1e6:.1f} MB")
