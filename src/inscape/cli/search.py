"""``inscape search``: which known crystals a spectrum looks like."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inscape.cli.spectra import seen_through
from inscape.cli.terminal import note, print_table, write_text

if TYPE_CHECKING:
    from rich.table import Table

    from inscape.retrieval import Match, SearchResult


def search(
    file: Annotated[
        Path, typer.Argument(help="A powder map or density of states (a file of inscape), or a crystal structure.")
    ],
    library: Annotated[
        Path | None, typer.Option("--library", "-l", help="Search this library instead of the index that ships.")
    ] = None,
    index: Annotated[Path | None, typer.Option(help="Search this index, a file of `inscape index build`.")] = None,
    top: Annotated[int, typer.Option(min=1, help="How many crystals to list.")] = 10,
    kind: Annotated[
        str | None, typer.Option(help="'powder' or 'dos', where the file holds both; the powder map unless given.")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="Temperature of the powder map, K, if the file does not say.")
    ] = None,
    emin: Annotated[
        float | None, typer.Option(help="Lowest energy compared, meV; above elastic scattering unless given.")
    ] = None,
    qmax: Annotated[
        float | None, typer.Option(help="Largest |Q| compared, 1/Å; beyond, many phonons scatter, the index has one.")
    ] = None,
    background: Annotated[
        bool, typer.Option("--background", help="Fit along a background, flat and growing with Q².")
    ] = False,
    stretch: Annotated[
        float, typer.Option(help="Try energies of crystals up to this share higher and lower, 0.05 for 5 %.")
    ] = 0.0,
    instrument: Annotated[
        str | None, typer.Option(help="Spectrometer whose resolution the map has, if the file does not say.")
    ] = None,
    ei: Annotated[float | None, typer.Option(help="Its incident energy, meV.")] = None,
    ef: Annotated[float | None, typer.Option(help="Its final energy, meV.")] = None,
    refine: Annotated[
        int, typer.Option(min=0, help="Compare so many of the best again, many phonons too; --library has their maps.")
    ] = 0,
    plot: Annotated[Path | None, typer.Option(help="Draw the spectrum and the best three: .png, .svg or .pdf.")] = None,
    table: Annotated[Path | None, typer.Option("--csv", help="Write the list as CSV.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the known crystals whose spectra look most like one that was measured, simulated or predicted.

    Each is fitted with a scale of its own to the bins that were measured. Of a structure, spectra are predicted, and
    crystals found whose codes are nearest.
    """
    from inscape.retrieval import search as find

    found = find(
        file,
        index=index,
        library=library,
        top=top,
        kind=kind,
        temperature=temperature,
        emin=emin,
        qmax=qmax,
        background=background,
        stretch=stretch,
        instrument=seen_through(instrument, ei, ef),
        refine=refine,
    )
    if as_json:
        typer.echo(json.dumps({"query": str(file), **found.to_dict()}, ensure_ascii=False, indent=2))
    else:
        print_table(_table(found, str(file)))
    if table is not None:
        write_text(table, as_csv(found))
    if plot is not None:
        from inscape.plots import formula_text, search_figure, write_figure

        titles = [f"{rank}. {formula_text(m.formula)} {m.id}" for rank, m in enumerate(found.matches, start=1)]
        write_figure(search_figure(found.spectra, titles, name=file.name), plot)
    if not as_json:
        written = [str(place) for place in (table, plot) if place is not None]
        if written:
            typer.echo(f"wrote {', '.join(written)}")
    for text in found.notes:
        note("note", text)


def columns_of(match: Match, rank: int) -> dict[str, str]:
    """One line of the list, by the heads of the columns."""
    row = {
        "rank": str(rank), "score": f"{match.score:.4f}", "formula": match.formula, "id": match.id,
        "space group": match.space_group, "split": match.split,
    }  # fmt: skip
    if match.chi2 is not None and match.chi2_above_first is not None:
        row |= {"χ² per bin": f"{match.chi2:.3f}", "Δχ²": f"{match.chi2_above_first:.1f}"}
    if match.stretch != 1.0:
        row["energies ×"] = f"{match.stretch:.2f}"
    return row


def as_csv(found: SearchResult) -> str:
    """The list as text, a head and one crystal a line."""
    rows = _rows(found)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _rows(found: SearchResult) -> list[dict[str, str]]:
    rows = [columns_of(match, rank) for rank, match in enumerate(found.matches, start=1)]
    heads = dict.fromkeys(head for row in rows for head in row)
    return [{head: row.get(head, "1.00") for head in heads} for row in rows]


def _table(found: SearchResult, name: str) -> Table:
    from rich.table import Table

    rows = _rows(found)
    table = Table(title=f"{found.kind} of {name}", title_justify="left")
    for head in rows[0]:
        table.add_column(head, justify="left" if head in {"formula", "id", "space group", "split"} else "right")
    for row in rows:
        table.add_row(*row.values())
    return table
