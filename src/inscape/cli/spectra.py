"""What the commands that make spectra share: their options, what these mean, and the files and tables that come out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inscape.cli.tables import Done, Failed, as_text, files_in_words, table_of_many, table_of_one
from inscape.cli.terminal import note, print_table
from inscape.errors import DataError, InstrumentError
from inscape.notation import parse_isotopes, parse_plane

if TYPE_CHECKING:
    from inscape.results import Prediction
    from inscape.scattering import Instrument

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
InstrumentName = Annotated[
    str | None,
    typer.Option(
        "--instrument",
        help="Look through this spectrometer: broadened spectra of the banks of TOSCA or VISION, or the powder map "
        "where the detectors of any other are, broadened.",
    ),
]
IncidentEnergy = Annotated[
    float | None, typer.Option("--ei", help="Incident energy of direct geometry, meV; alone: what kinematics allow.")
]
FinalEnergy = Annotated[
    float | None, typer.Option("--ef", help="Final energy of indirect geometry, meV, if it is not the usual one.")
]
InstrumentSetting = Annotated[
    list[str] | None,
    typer.Option("--setting", help="Setting of the instrument by its name in resins, as chopper_package=PCS."),
]
Isotopes = Annotated[
    list[str] | None,
    typer.Option("--isotope", help="Isotope of an element or of one atom, counted from 0: H=D, Li=7Li, 3=D."),
]
Multiphonon = Annotated[
    bool, typer.Option("--multiphonon", help="Add many phonons to the powder map and to spectra: as many as matter.")
]
Order = Annotated[
    int | None, typer.Option("--order", help="Add many phonons, up to this number of them.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]
NoPlot = Annotated[bool, typer.Option("--no-plot", help="Write no picture.")]


def parse_kinds(text: str) -> tuple[str, ...]:
    """Kinds of spectra, in the order of `KINDS`; `DataError` for any other word."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    unknown = [word for word in words if word not in KINDS]
    if unknown or not words:
        raise DataError(f"kinds is {text!r}; expected some of {','.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in words)


def seen_through(name: str | None, ei: float | None, ef: float | None, texts: Sequence[str] = ()) -> Instrument | None:
    """The instrument that the options ask for; `InstrumentError` if there is no such one."""
    from inscape.scattering import chosen_instrument

    settings: dict[str, Any] = {}
    for text in texts:
        key, _, value = (word.strip() for word in text.partition("="))
        if not key or not value:
            raise InstrumentError(f"setting is {text!r}; expected a name and a value, as chopper_frequency=420")
        settings[key] = _number(value)
    return chosen_instrument(name, ei, ef, **settings)


def _number(text: str) -> int | float | str:
    """A number where the text is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def settings(
    *,
    plane: str,
    kinds: str,
    instrument: str | None,
    ei: float | None,
    ef: float | None,
    setting: list[str] | None,
    isotope: list[str] | None,
    multiphonon: bool,
    order: int | None,
    **plain: Any,
) -> dict[str, Any]:
    """Arguments of `inscape.predict` and `inscape.simulate` from the options of both commands; ``plain`` stay."""
    return {
        **plain,
        "plane": parse_plane(plane),
        "kinds": parse_kinds(kinds),
        "instrument": seen_through(instrument, ei, ef, setting or ()),
        "isotopes": parse_isotopes(isotope or ()),
        "multiphonon": multiphonon if order is None else order,
    }


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
