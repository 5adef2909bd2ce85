"""``inscape train``: run files in, weights out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from inscape.cli.run_files import check_settings, read_run_file
from inscape.cli.terminal import goes_on, progress_bar

app = typer.Typer(help="Train the models that predict, from a library of spectra.", no_args_is_help=True)

RunFile = Annotated[Path, typer.Argument(metavar="RUN.toml", help="Run file: the parameters of the training.")]
LibraryPath = Annotated[Path, typer.Option("--library", "-l", help="Folder of the library to learn from.")]
Archives = Annotated[
    Path | None, typer.Option(help="Folder of the phonondb's archives, to learn force constants or charges from.")
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write; the shipped one unless given.")]
Minutes = Annotated[float | None, typer.Option(help="Stop after this time; the same command goes on there.")]


@app.command("autoencoder")
def autoencoder(run: RunFile, library: LibraryPath, output: Output = None, minutes: Minutes = None) -> None:
    """Train the autoencoder of one kind of spectrum."""
    settings = read_run_file(run)
    from inscape.structure_model import train_autoencoder

    _train(train_autoencoder, run, library, settings, output, minutes)


@app.command("structure")
def structure(
    run: RunFile, library: LibraryPath, archives: Archives = None, output: Output = None, minutes: Minutes = None
) -> None:
    """Train the model that predicts codes, densities of states or force constants from structures."""
    settings = read_run_file(run)
    from inscape.structure_model import train_structure

    if archives is not None:
        settings["archives"] = archives
    _train(train_structure, run, library, settings, output, minutes)


@app.command("denoise")
def denoise(run: RunFile, library: LibraryPath, output: Output = None, minutes: Minutes = None) -> None:
    """Train the network that cleans measured powder maps, or densities of states."""
    settings = read_run_file(run)
    from inscape.measured import train_denoiser

    _train(train_denoiser, run, library, settings, output, minutes)


@app.command("pseudo-labels")
def pseudo_labels(
    library: LibraryPath,
    number: Annotated[int, typer.Option(min=1, help="How many crystals to make up.")] = 10000,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes, of one thread each; 2 unless given.", show_default=False)
    ] = None,
) -> None:
    """Make up crystals with densities of states by force constants, which the road of codes learns from (made_up)."""
    from inscape.library.cluster import Cluster
    from inscape.pseudo_labels import make_up

    with goes_on(), progress_bar("labelling") as report:
        found = make_up(library, number, cluster=Cluster(workers), progress=report)
    typer.echo(f"{library}: {found} made-up crystals")


@app.command("calibration")
def calibration(
    library: LibraryPath,
    road: Annotated[str, typer.Option(help="The road of the predictions: code or force-constants.")] = "code",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="JSON file, in place of the shipped.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many crystals.")] = None,
) -> None:
    """Learn how large errors are, from the training crystals held out for tuning, once the models are trained."""
    from inscape.calibration import calibrate

    with progress_bar("comparing") as report:
        written = calibrate(library, output, road=road, limit=limit, progress=report)
    typer.echo(f"wrote {written}")


def _train(
    function: Callable[..., Path],
    run: Path,
    library: Path,
    settings: dict[str, Any],
    output: Path | None,
    minutes: float | None,
) -> None:
    check_settings(settings, function, source=str(run), reserved={"library", "progress"})
    given = {"output": output, "minutes": minutes}
    settings |= {key: value for key, value in given.items() if value is not None}
    written = function(library, progress=True, **settings)
    typer.echo(f"wrote {written}")
