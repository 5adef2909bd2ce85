"""``inscape library``: build a library of spectra, and say what is in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from inscape.cli.terminal import goes_on, print_table, progress_bar

app = typer.Typer(help="Build a library of spectra from force constants, or say what is in one.", no_args_is_help=True)


@app.command("build")
def build(
    paths: Annotated[
        list[Path], typer.Argument(help="phonondb archives, phonopy folders or yaml files, or folders of them.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the library, new or begun before.")],
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes, of one thread each; 2 unless given.", show_default=False)
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Work on a running Dask cluster: its scheduler's address, tcp://host:8786.")
    ] = None,
    jobqueue: Annotated[
        str | None,
        typer.Option(help="Work in jobs of a queueing system: slurm, pbs, sge, lsf, oar, moab or htcondor."),
    ] = None,
    jobqueue_settings: Annotated[
        Path | None, typer.Option(help="TOML file with the parameters of its cluster in dask-jobqueue.")
    ] = None,
    splits: Annotated[
        Path | None, typer.Option(help="JSON file with the lists of ids 'train', 'val' and 'test'.")
    ] = None,
    only: Annotated[str | None, typer.Option(help="Splits to render, separated by commas; all unless given.")] = None,
    max_atoms: Annotated[int, typer.Option(min=1, help="Leave out crystals with larger primitive cells.")] = 40,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again all that failed, not only those whose files have changed.")
    ] = False,
) -> None:
    """Render the spectra of many crystals into a library. Interrupt it at will: the same command goes on there."""
    from inscape.cli.run_files import read_run_file
    from inscape.library.build import build_library
    from inscape.library.cluster import Cluster
    from inscape.library.splits import read_splits
    from inscape.library.summary import group_reasons

    settings = {} if jobqueue_settings is None else read_run_file(jobqueue_settings)
    cluster = Cluster(workers, scheduler, jobqueue, settings)
    with goes_on(), progress_bar("rendering") as report:
        built = build_library(
            paths,
            output,
            cluster=cluster,
            splits=None if splits is None else read_splits(splits),
            only=None if only is None else {word.strip() for word in only.split(",")},
            max_atoms=max_atoms,
            retry_failed=retry_failed,
            progress=report,
        )
    typer.echo(f"{output}: {len(built.rendered)} crystals rendered, {built.already} needed no more work")
    if built.failed:
        typer.echo(f"{len(built.failed)} failed or left out (listed with reasons in the library):")
        for reason, count in group_reasons(built.failed.values()).items():
            typer.echo(f"  {count:5d}  {reason}")


@app.command("info")
def info(
    store: Annotated[Path, typer.Argument(help="Folder of the library.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Say what a library holds: crystals of each split, failures with reasons, duplicates, size and time."""
    from inscape.library.store import Library
    from inscape.library.summary import summarise

    summary = summarise(Library(store))
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False, indent=2))
        return
    print_table(_table_of_splits(summary))
    typer.echo(
        f"{summary['bytes'] / 1e6:.1f} MB, {summary['bytes_per_crystal'] / 1e3:.0f} kB a crystal; "
        f"{summary['median_seconds']:.2f} s a crystal in the median"
    )
    for ids in summary["duplicates"]:
        typer.echo(f"one structure: {', '.join(ids)}")
    if summary["failures"]:
        typer.echo(f"{sum(summary['failures'].values())} failed or left out:")
        for reason, count in summary["failures"].items():
            typer.echo(f"  {count:5d}  {reason}")


def _table_of_splits(summary: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table(title=summary["path"], title_justify="left")
    table.add_column("split")
    names = ("crystals", "clean", "imaginary", "born", "hydrogen", "median_atoms", "max_atoms")
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for split, counts in summary["splits"].items():
        table.add_row(split, *(f"{counts[name]:g}" for name in names))
    return table
