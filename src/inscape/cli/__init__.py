"""The command line: parse, call one function of the package, print.

No command loads anything heavy before it runs, so that help and wrong options answer at once.
"""

from __future__ import annotations

import gc
import sys
from typing import Annotated

import typer

from inscape import __version__
from inscape.cli import (
    bands,
    compare,
    denoise,
    evaluate,
    export,
    index,
    library,
    measured,
    modes,
    plot,
    predict,
    search,
    serve,
    simulate,
    thermo,
    train,
)
from inscape.errors import InscapeError

NEW_OBJECTS = 20_000
"""After so many the garbage collector looks for cycles; Python's 700 cost a tenth of a cold start."""

app = typer.Typer(
    help="Neutron spectra from a crystal structure: one, two and three dimensions, in a fraction of a second.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("predict")(predict.predict)
app.command("simulate")(simulate.simulate)
app.command("compare")(compare.compare)
app.command("convert")(measured.convert)
app.command("dos")(measured.dos)
app.command("plot")(plot.plot)
app.command("denoise")(denoise.denoise)
app.command("thermo")(thermo.thermo)
app.command("modes")(modes.modes)
app.command("bands")(bands.bands)
app.command("export")(export.export)
app.command("search")(search.search)
app.command("serve")(serve.serve)
app.add_typer(index.app, name="index")
app.add_typer(library.app, name="library")
app.add_typer(train.app, name="train")
app.command("evaluate")(evaluate.evaluate)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"inscape {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; what inscape refuses becomes one line on standard error and exit status 2."""
    gc.set_threshold(NEW_OBJECTS)
    try:
        app()
    except InscapeError as error:
        typer.echo(f"error: {' '.join(str(error).split())}", err=True)
        sys.exit(2)
