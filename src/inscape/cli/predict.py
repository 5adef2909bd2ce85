"""``inscape predict``: structures in, one file of spectra and one picture for each out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inscape.cli.tables import Done, Failed, as_text, files_in_words, table_of_many, table_of_one
from inscape.cli.terminal import note, print_table, progress_bar
from inscape.errors import DataError, GridError, StructureError

if TYPE_CHECKING:
    from inscape.results import Prediction
    from inscape.structures import Crystal

Plane = tuple[tuple[float, ...], tuple[float, ...]]

PLANES: dict[str, Plane] = {
    "HK0": ((1, 0, 0), (0, 1, 0)),
    "H0L": ((1, 0, 0), (0, 0, 1)),
    "0KL": ((0, 1, 0), (0, 0, 1)),
    "HHL": ((1, 1, 0), (0, 0, 1)),
}
KINDS = ("dos", "powder", "crystal")

BATCH = 32
"""Structures that are predicted at once; files are written after each batch."""


def predict(
    structures: Annotated[
        list[Path], typer.Argument(help="Structure files (CIF, POSCAR, extended XYZ, all that ASE reads) or folders.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files written.")] = Path("."),
    temperature: Annotated[float, typer.Option(help="Temperature of the maps, K.")] = 300.0,
    plane: Annotated[
        str,
        typer.Option(help="Plane of the single-crystal map: HK0, H0L, 0KL, HHL, or two vectors as '1 0 0; 0 1 0'."),
    ] = "HK0",
    kinds: Annotated[str, typer.Option(help="Which spectra, separated by commas.")] = ",".join(KINDS),
    emax: Annotated[
        float | None, typer.Option(help="Top of the energy grid, meV; a little above the highest mode unless given.")
    ] = None,
    de: Annotated[float, typer.Option(help="Step of the energy grid, meV.")] = 0.5,
    qmax: Annotated[float, typer.Option(help="Top of |Q|, 1/Å.")] = 10.0,
    dq: Annotated[float, typer.Option(help="Step of |Q|, 1/Å.")] = 0.1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    no_plot: Annotated[bool, typer.Option("--no-plot", help="Write no picture.")] = False,
) -> None:
    """Predict the neutron spectra of crystals: <stem>.nc with the numbers and <stem>.png with a picture of each.

    A structure that cannot be used is refused with exit status 2; among several, the others go on, and the exit status
    is 1.
    """
    options: dict[str, Any] = {
        "temperature": temperature,
        "plane": parse_plane(plane),
        "kinds": parse_kinds(kinds),
        "emax": emax,
        "de": de,
        "qmax": qmax,
        "dq": dq,
    }
    done, failed = _predict_all(structures, output_folder(output), options, plot=not no_plot)
    print_outcome(done, failed, as_json=as_json)


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


def _predict_all(
    sources: list[Path], folder: Path, options: dict[str, Any], *, plot: bool
) -> tuple[list[Done], list[Failed]]:
    """Predict and write everything that can be read; a single structure that fails is raised."""
    from inscape.structures import read_structures

    loaded = read_structures(list(sources))
    if len(loaded) == 1 and loaded[0].error is not None:
        raise loaded[0].error
    failed = [Failed(item.name, str(item.error)) for item in loaded if item.error is not None]
    crystals = [(item.name, item.crystal) for item in loaded if item.crystal is not None]
    stems = unique_stems([name for name, _ in crystals])
    done: list[Done] = []
    with progress_bar("predicting") as report:
        for start in range(0, len(crystals), BATCH):
            batch = crystals[start : start + BATCH]
            found = _predict_batch(batch, options, alone=len(loaded) == 1)
            for (source, _), stem, outcome in zip(batch, stems[start : start + BATCH], found, strict=True):
                if isinstance(outcome, StructureError):
                    failed.append(Failed(source, str(outcome)))
                else:
                    done.append(write_files(source, folder / stem, outcome, plot=plot))
                report(len(done) + len(failed), len(loaded), source)
    return done, failed


def _predict_batch(
    batch: Sequence[tuple[str, Crystal]], options: dict[str, Any], *, alone: bool
) -> Sequence[Prediction | StructureError]:
    """Predictions of a batch; if one structure spoils it, one by one."""
    from inscape.prediction import predict_many

    try:
        return predict_many([crystal for _, crystal in batch], **options)
    except StructureError as error:
        if alone:
            raise
        if len(batch) == 1:
            return [error]
    return [outcome for one in batch for outcome in _predict_batch([one], options, alone=False)]


def write_files(source: str, place: Path, prediction: Prediction, *, plot: bool) -> Done:
    """Write the files of a prediction; the stem may hold dots."""
    files = [prediction.save(place.with_name(f"{place.name}.nc"))]
    if plot:
        files.append(place.with_name(f"{place.name}.png"))
        prediction.plot(files[-1])
    accuracy = prediction.dataset.attrs.get("accuracy")
    return Done(source, prediction.summary(), accuracy, [str(file) for file in files])
