"""``inscape export``: force constants as a file of phonopy, for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inscape.cli import force_constants as given


def export(
    file: given.Source,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; <stem>-phonopy.yaml unless given.")
    ] = None,
    engine: given.Engine = given.DEFAULT_ENGINE,
    length: given.Length = 10.0,
    supercell: given.Supercell = None,
    no_relax: given.NoRelax = False,
    cache: given.Cache = None,
) -> None:
    """Write the force constants of a crystal, with Born charges if there are any, for phonopy and Euphonic.

    With --engine direct they are predicted from the structure in one pass.
    """
    from inscape.lattice import write_phonopy

    source = given.read_or_compute(file, engine, length, supercell, no_relax, cache)
    written = write_phonopy(source.force_constants, output or Path(f"{file.stem}-phonopy.yaml"))
    typer.echo(f"wrote {written}")
    given.warn(file, source)
