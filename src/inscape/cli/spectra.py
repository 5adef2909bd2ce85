"""What the commands that make spectra share: their options, what these mean, and the files and tables that come out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inscape.cli.tables import Done, Failed, as_text, files_in_words, table_of_many, table_of_one
from inscape.cli.terminal import note, print_table
from inscape.errors import DataError, GridError

if TYPE_CHECKING:
    from inscape.results import Prediction

Plane = tuple[tuple[float, ...], tuple[float, ...]]

PLANES: dict[str, Plane] = {
    "HK0": ((1, 0, 0), (0, 1, 0)),
    "H0L": ((1, 0, 0), (0, 0, 1)),
    "0KL": ((0, 1, 0), (0, 0, 1)),
    "HHL": ((1, 1, 0), (0, 0, 1)),
}
KINDS = ("dos", "powder", "crystal")
ALL_KINDS = ",".join(KINDS)

Output = Annotated[Path, typer.Option("--output", "-o", help="Folder for the files written.")]
Temperature = Annotated[float, typer.Option(help="Temperature of the maps, K.")]
PlaneText = Annotated[
    str, typer.Option(help="Plane of the single-crystal map: HK0, H0L, 0KL, HHL, or two vectors as '1 0 0; 0 1 0'.")
]
KindsText = Annotated[str, typer.Option(help="Which spectra, separated by commas.")]
TopEnergy = Annotated[
    float | None, typer.Option(help="Top of the energy grid, meV; a little above the highest mode unless given.")
]
EnergyStep = Annotated[float, typer.Option(help="Step of the energy grid, meV.")]
TopQ = Annotated[float, typer.Option(help="Top of |Q|, 1/Å.")]
QStep = Annotated[float, typer.Option(help="Step of |Q|, 1/Å.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]
NoPlot = Annotated[bool, typer.Option("--no-plot", help="Write no picture.")]


def parse_plane(text: str) -> Plane:
    """Two vectors from the name of a plane or from six numbers.

    Raises
    ------
    GridError
        Neither.
    """
    if (named := PLANES.get(text.strip().upper())) is not None:
        return named
    try:
        numbers = [float(word) for word in re.split(r"[\s,;()\[\]]+", text) if word]
    except ValueError:
        numbers = []
    if len(numbers) != 6:
        raise GridError(f"plane is {text!r}; expected {', '.join(PLANES)} or two vectors as '1 0 0; 0 1 0'")
    return tuple(numbers[:3]), tuple(numbers[3:])


def parse_kinds(text: str) -> tuple[str, ...]:
    """Kinds of spectra, in the order of `KINDS`; `DataError` for any other word."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    unknown = [word for word in words if word not in KINDS]
    if unknown or not words:
        raise DataError(f"kinds is {text!r}; expected some of {','.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in words)


def unique_stems(sources: Sequence[str]) -> list[str]:
    """Names of the files written: the stem of each source, numbered where two are alike."""
    taken: set[str] = set()
    stems = []
    for source in sources:
        stem = name = Path(source).stem
        number = 2
        while name.casefold() in taken:
            name = f"{stem}-{number}"
            number += 1
        if name != stem:
            note("note", f"another input is called {stem} too: {source} is written as {name}")
        taken.add(name.casefold())
        stems.append(name)
    return stems


def output_folder(path: Path) -> Path:
    """The folder, made if it is not there; `DataError` if that cannot be done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be used as a folder ({error.strerror}); name another place") from error
    return path


def write_files(source: str, place: Path, prediction: Prediction, *, plot: bool) -> Done:
    """Write the files of a prediction; the stem may hold dots."""
    files = [prediction.save(place.with_name(f"{place.name}.nc"))]
    if plot:
        files.append(place.with_name(f"{place.name}.png"))
        prediction.plot(files[-1])
    accuracy = prediction.dataset.attrs.get("accuracy")
    return Done(source, prediction.summary(), accuracy, [str(file) for file in files])


def print_outcome(done: list[Done], failed: list[Failed], *, as_json: bool) -> None:
    """Print what was done as a table or JSON, and warnings and failures; exit status 1 if anything failed."""
    if as_json:
        typer.echo(as_text(done, failed))
    elif done:
        print_table(table_of_one(done[0]) if len(done) == 1 else table_of_many(done))
        typer.echo(f"wrote {files_in_words(done)}")
    for item in done:
        if item.summary["warning"]:
            note("warning", f"{item.source}: {item.summary['warning']}")
    if failed:
        note("error", f"{len(failed)} of {len(done) + len(failed)} structures failed:")
        for failure in failed:
            note(f"  {failure.source}", failure.error.removeprefix(f"{failure.source}: "))
        raise typer.Exit(1)
