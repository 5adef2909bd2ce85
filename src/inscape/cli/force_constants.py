"""What the commands that need force constants share: the file they are given, how forces are made, warnings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inscape.cli.terminal import goes_on, note, progress_bar
from inscape.errors import GridError

if TYPE_CHECKING:
    from inscape.simulation import Computed

Source = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="What inscape simulate takes: a structure, a phonopy yaml file or folder, an archive of the phonondb.",
    ),
]
DEFAULT_ENGINE = "nequix-oam-1-pft"
"""That of `inscape.simulate`, named here because nothing heavy may be loaded for help."""

Engine = Annotated[
    str,
    typer.Option(help="Interatomic potential for a structure, as for inscape simulate, or direct: by the model."),
]
Length = Annotated[float, typer.Option(help="Least distance between opposite faces of the supercell, Å.")]
Supercell = Annotated[
    str | None,
    typer.Option(help="The supercell itself, in conventional cells: '2 2 2', or nine numbers, row by row."),
]
NoRelax = Annotated[bool, typer.Option("--no-relax", help="Take cell and positions as they are.")]
Cache = Annotated[
    Path | None, typer.Option(help="Folder where forces are kept; one in the user's cache folder unless given.")
]


FORCES_KEPT = "forces are kept"
"""What an interruption leaves."""


def parse_supercell(text: str) -> list[int]:
    """Three or nine whole numbers; `GridError` for anything else."""
    try:
        numbers = [int(word) for word in text.replace(",", " ").replace(";", " ").split()]
    except ValueError:
        numbers = []
    if len(numbers) not in (3, 9):
        raise GridError(f"supercell is {text!r}; expected three or nine whole numbers, as '2 2 2'")
    return numbers


def read_or_compute(
    file: Path, engine: str, length: float, supercell: str | None, no_relax: bool, cache: Path | None
) -> Computed:
    """Force constants of a file; an interruption ends the program with status 130."""
    from inscape.simulation import force_constants_of

    repetitions = None if supercell is None else parse_supercell(supercell)
    with progress_bar(f"force constants of {file.stem}") as report, goes_on(FORCES_KEPT):
        return force_constants_of(
            file, engine, relax=not no_relax, length=length, supercell=repetitions, cache=cache, progress=report
        )


def warn(file: Path, source: Computed) -> None:
    """Why the force constants are not to be trusted, on standard error."""
    from inscape.simulation import missing_charges

    for words in [*source.warnings, *missing_charges(source.force_constants)]:
        note("warning", f"{file}: {words}")


def parse_numbers(text: str, name: str) -> list[float]:
    """Three numbers, fractions such as 1/3 among them; `GridError` for anything else."""
    from fractions import Fraction

    try:
        numbers = [float(Fraction(word)) for word in text.replace(",", " ").split()]
    except (ValueError, ZeroDivisionError):
        numbers = []
    if len(numbers) != 3:
        raise GridError(f"{name} is {text!r}; expected three numbers, such as 0.5,0,0 or 1/3,1/3,0")
    return numbers
