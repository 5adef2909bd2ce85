"""``inscape compare``: how far files of spectra are from the first of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inscape.cli.plot import parse_cut
from inscape.cli.terminal import note, print_table

if TYPE_CHECKING:
    from rich.table import Table

    from inscape.compare import Comparison

TITLES = {
    "dos": "density of states",
    "powder": "powder map",
    "crystal": "single-crystal map",
    "instrument": "banks of the instrument",
}

WORDS = {
    "w1_meV": ("Wasserstein-1", "{:.3f} meV"),
    "r2": ("R²", "{:.4f}"),
    "cosine": ("cosine", "{:.4f}"),
    "overlap": ("overlap", "{:.4f}"),
    "mean_energy_difference_meV": ("mean energy", "{:+.3f} meV"),
    "heat_capacity_difference_100K_J_per_mol_K": ("C_V at 100 K", "{:+.3f} J mol⁻¹ K⁻¹"),
    "heat_capacity_difference_300K_J_per_mol_K": ("C_V at 300 K", "{:+.3f} J mol⁻¹ K⁻¹"),
    "cut_cosine": ("cut cosine", "{:.4f}"),
    "cut_cosine_near": ("cut cosine, |Q| < 4 1/Å", "{:.4f}"),
    "ratio": ("intensity, other/reference", "{:.4f}"),
}
"""Figures in words, and their format; those with a sign are other − reference."""


def compare(
    files: Annotated[
        list[Path], typer.Argument(metavar="A.nc B.nc [C.nc ...]", help="Files; the first is the reference.")
    ],
    plot: Annotated[Path | None, typer.Option(help="Write a figure: .png, .svg or .pdf.")] = None,
    cut: Annotated[
        list[str] | None, typer.Option(help="Cut of the powder maps in the figure: q=3:3.2 (1/Å) or e=40:45 (meV).")
    ] = None,
    sigma: Annotated[float, typer.Option(help="Smoothing of energies before comparing, meV; 0 for none.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Compare spectra of the same crystal from several files, predicted or simulated, with the first of them.

    Single-crystal maps of another plane are left out with a note; other atoms or temperatures are refused.
    """
    cuts = [parse_cut(text) for text in cut] if cut else None
    from inscape.compare import compare_files

    found = compare_files(files, sigma=sigma)
    if plot is not None:
        from inscape.plots import comparison_figure, write_figure

        write_figure(comparison_figure([(one.spectra, _lines(one)) for one in found], cuts=cuts), plot)
    if as_json:
        typer.echo(json.dumps({"comparisons": [one.to_dict() for one in found]}, ensure_ascii=False, indent=2))
    else:
        print_table(_table(found))
        if plot is not None:
            typer.echo(f"wrote {plot}")
    for one in found:
        for text in one.notes:
            note("note", f"{one.other}: {text}")


def _lines(one: Comparison) -> list[str]:
    """Figures and notes as lines of text for the picture."""
    lines = []
    for kind, figures in one.figures.items():
        lines.append(f"{TITLES[kind]}:")
        lines += [f"   {WORDS[name][0]}  {WORDS[name][1].format(value)}" for name, value in figures.items()]
    return [*lines, *one.notes]


def _table(found: list[Comparison]) -> Table:
    """One figure a line, one file a column."""
    from rich.table import Table

    table = Table(title=f"beside {found[0].reference}", title_justify="left")
    for head in ("", "", *(one.other for one in found)):
        table.add_column(head, justify="right" if head else "left")
    for kind, title in TITLES.items():
        names = dict.fromkeys(name for one in found for name in one.figures.get(kind, {}))
        for row, name in enumerate(names):
            words, text = WORDS[name]
            values = [one.figures.get(kind, {}).get(name) for one in found]
            table.add_row("" if row else title, words, *("–" if v is None else text.format(v) for v in values))
        if names:
            table.add_section()
    return table
