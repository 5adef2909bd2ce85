"""``inscape convert`` and ``inscape dos``, and the part of ``inscape compare`` that has a measurement in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inscape.cli.plot import parse_cut
from inscape.cli.terminal import note, print_table
from inscape.errors import DataError

if TYPE_CHECKING:
    from inscape.measured.density_of_states import FoundDos
    from inscape.measured.fitting import Fit
    from inscape.plots import Cut
    from inscape.scattering import Instrument

KINDS: dict[str, Literal["powder map", "density of states"]] = {"powder": "powder map", "dos": "density of states"}
"""Kinds as users write them here and in `inscape predict`."""

EnergyUnit = Annotated[str | None, typer.Option(help="Unit of energies in the file, if it names none: meV, THz, cm-1.")]


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A file of a measured or computed spectrum.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="File: .nc, .csv, .nxspe or .json (of Euphonic).")],
    energy_unit: EnergyUnit = None,
    ei: Annotated[float | None, typer.Option(help="Incident energy, meV, if the file does not name it.")] = None,
    temperature: Annotated[float | None, typer.Option(help="Temperature, K, if the file does not name it.")] = None,
    kind: Annotated[
        str | None, typer.Option(help="What to take of a result: powder or dos; the powder map unless given.")
    ] = None,
) -> None:
    """Write a spectrum in another format; what it is in is recognised by its content.

    Read are NXspe, processed NeXus of Mantid, HDF5 histograms of multiphonon, JSON of Euphonic, tables of text, and
    files of inscape.
    """
    from inscape.measured import read, write

    if kind is not None and kind not in KINDS:
        raise DataError(f"kind is {kind!r}; expected {' or '.join(KINDS)}")
    what = None if kind is None else KINDS[kind]
    spectrum = read(source, kind=what, energy_unit=energy_unit, incident_energy=ei, temperature=temperature)
    write(spectrum, target)
    sizes = " × ".join(f"{spectrum.sizes[dim]} ({dim})" for dim in spectrum["intensity"].dims)
    typer.echo(f"wrote {target}: {spectrum.attrs['kind']}, {sizes}")


def dos(
    file: Annotated[Path, typer.Argument(metavar="MEASURED", help="A powder map, of any format that is read.")],
    temperature: Annotated[float, typer.Option(help="Temperature of the sample, K.")],
    elastic: Annotated[float, typer.Option(help="Energy up to which the elastic line reaches, meV.")],
    top: Annotated[float, typer.Option(help="Energy above which there are no modes, or those of --beyond, meV.")],
    formula: Annotated[str | None, typer.Option(help="Formula of the sample, for the mass of its atoms.")] = None,
    mass: Annotated[float | None, typer.Option(help="Mass of the atoms instead, u.")] = None,
    q: Annotated[str | None, typer.Option("--q", help="Range of |Q| that is used, as 2:10, 1/Å.")] = None,
    multiple_scattering: Annotated[
        float, typer.Option(help="Multiple scattering, as this factor times the mean over |Q| of many phonons.")
    ] = 0.0,
    beyond: Annotated[
        Path | None, typer.Option(help="A density of states whose part above --top is joined on.")
    ] = None,
    reference: Annotated[Path | None, typer.Option(help="Another density of states: distance, and figure.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write: .nc, .csv or .json.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a figure: .png, .svg or .pdf.")] = None,
) -> None:
    """Find the phonon density of states in a powder map of an incoherent scatterer.

    One phonon, occupation, Debye–Waller factor and many phonons follow from the density of states itself; this is
    repeated until it stays.
    """
    if (formula is None) == (mass is None):
        raise DataError("give either --formula or --mass")
    from inscape.measured import read, write
    from inscape.measured.density_of_states import distance, dos_from_map, mean_mass

    found = dos_from_map(
        read(file),
        mass=mean_mass(formula) if formula is not None else mass or 0.0,
        temperature=temperature,
        elastic=elastic,
        top=top,
        q_range=None if q is None else parse_range(q),
        multiple_scattering=multiple_scattering,
        beyond=None if beyond is None else read(beyond, kind="density of states"),
    )
    lines = _dos_lines(found)
    other = None if reference is None else read(reference, kind="density of states")
    if other is not None:
        lines.append(f"Wasserstein-1 to {other.attrs['source']}: {distance(found.dos, other):.3f} meV")
        lines.append(f"   of what lies below {top:g} meV: {distance(found.dos, other, top):.3f} meV")
    if plot is not None:
        from inscape.plots import dos_figure, write_figure

        write_figure(dos_figure(found.dos, found.spectra, lines, other), plot)
    place = output or Path(f"{file.stem}-dos.nc")
    write(found.dos, place)
    typer.echo("\n".join(lines))
    typer.echo(f"wrote {', '.join(str(path) for path in (place, plot) if path is not None)}")
    if not found.converged:
        note("warning", f"{file}: no end after {len(found.changes)} rounds; see whether the limits make sense")


def compare_measured(
    files: list[Path],
    *,
    instrument: Instrument | None,
    background: int,
    ranges: list[str],
    cuts: list[Cut] | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Fit each theory to the measurement and print what was found."""
    from inscape.measured import read
    from inscape.measured.fitting import fit_theory
    from inscape.results import Prediction

    chosen = {one.dim: (one.low, one.high) for one in map(parse_cut, ranges)}
    measured = read(files[0])
    found = [
        fit_theory(
            measured,
            Prediction.load(path),
            instrument=instrument,
            background=background,
            energy_range=chosen.get("energy"),
            q_range=chosen.get("q"),
        )
        for path in files[1:]
    ]
    places = [] if plot is None else figure_names(plot, files[1:])
    for fit, place in zip(found, places, strict=False):
        from inscape.plots import fit_figure, write_figure

        write_figure(fit_figure(fit.spectra, [f"{name}: {value}" for name, value in _rows(fit)], cuts=cuts), place)
    if as_json:
        fits = [{"file": str(path), **fit.to_dict()} for path, fit in zip(files[1:], found, strict=True)]
        typer.echo(json.dumps({"measured": str(files[0]), "fits": fits}, ensure_ascii=False, indent=2))
    else:
        _print_fits(files, found)
        if places:
            typer.echo(f"wrote {', '.join(map(str, places))}")
    for path, fit in zip(files[1:], found, strict=True):
        for text in fit.notes:
            note("note", f"{path}: {text}")


def parse_range(text: str) -> tuple[float, float]:
    """Two numbers from ``2:10``; `DataError` for anything else."""
    try:
        low, high = (float(word) for word in text.split(":"))
    except ValueError:
        raise DataError(f"range is {text!r}; expected two numbers, as 2:10") from None
    return low, high


def figure_names(plot: Path, theories: list[Path]) -> list[Path]:
    """One figure for each theory, named after it where there are several."""
    return [plot if len(theories) == 1 else plot.with_stem(f"{plot.stem}-{path.stem}") for path in theories]


def _print_fits(files: list[Path], found: list[Fit]) -> None:
    from rich.table import Table

    table = Table(title=f"fitted to {files[0]}", title_justify="left")
    for head in ("", *map(str, files[1:])):
        table.add_column(head, justify="right" if head else "left")
    for cells in zip(*map(_rows, found), strict=True):
        table.add_row(cells[0][0], *(value for _, value in cells))
    print_table(table)


def _rows(fit: Fit) -> list[tuple[str, str]]:
    """Names and values of what was fitted."""
    terms = zip(fit.background, fit.background_errors, strict=True)
    chi = fit.reduced_chi_square
    return [
        ("scale", f"{fit.scale:.5g} ± {fit.scale_error:.2g}"),
        *((f"background {k}", f"{value:.4g} ± {error:.2g}") for k, (value, error) in enumerate(terms)),
        ("reduced χ²", "–" if chi != chi else f"{chi:.3f}"),
        ("bins", str(fit.n_bins)),
        ("energies", f"{fit.energy_range[0]:.4g} to {fit.energy_range[1]:.4g} meV"),
    ]


def _dos_lines(found: FoundDos) -> list[str]:
    energy = found.dos["energy"]
    weight = found.dos["intensity"] * found.dos["energy_edges"].diff("energy_edge").values
    return [
        f"mean energy: {float((energy * weight).sum() / weight.sum()):.2f} meV",
        f"mean-square displacement ⟨u²⟩: {found.square_displacement:.5f} Å²",
        f"share of many phonons: {found.many_share:.1%}",
        f"rounds: {len(found.changes)}, last change {found.changes[-1]:.2g} meV",
    ]
