"""What the commands share: a place to print tables, progress on standard error, files of text."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from inscape.errors import DataError

if TYPE_CHECKING:
    from rich.table import Table

WIDTH = 140
"""Columns of a table that goes to a file or a pipe."""

Report = Callable[[float, int, str], None]
"""Takes how many are done, one in part perhaps, how many there are, and the name of the last one."""


def print_table(table: Table) -> None:
    """Print a table on standard output, wide if nobody watches."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False).print(table)


def note(kind: str, text: str) -> None:
    """One line on standard error, such as ``warning: …``."""
    typer.secho(f"{kind}: {' '.join(text.split())}", err=True, fg="red" if kind in {"error", "warning"} else None)


@contextmanager
def goes_on(kept: str = "what is done is kept") -> Iterator[None]:
    """Long work that keeps what is done: Ctrl-C ends it with a word on that, and exit status 130."""
    try:
        yield
    except KeyboardInterrupt:
        note("interrupted", f"{kept}; the same command goes on where it stopped")
        raise typer.Exit(130) from None


@contextmanager
def progress_bar(description: str) -> Iterator[Report]:
    """A bar on standard error with a count, the rate and the time that remains; nothing where no terminal is."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[last]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, speed_estimate_period=300) as bar:
        task = bar.add_task(description, total=None, rate="", last="")

        def report(done: float, total: int, last: str) -> None:
            bar.update(task, completed=done, total=total, last=last)
            elapsed = bar.tasks[0].elapsed
            bar.update(task, rate=f"{done / elapsed:.2f}/s" if elapsed else "")

        yield report


def write_text(path: Path, text: str) -> None:
    """Write a file of text; `DataError` if that cannot be done."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); name another place") from error
