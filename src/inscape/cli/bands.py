"""``inscape bands``: the band structure over the intensity S(Q,E) along a path, and files of moving modes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inscape.cli import force_constants as given
from inscape.cli.spectra import Temperature


def bands(
    file: given.Source,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Figure to write: .png, .svg or .pdf; <stem>-bands.png.")
    ] = None,
    path: Annotated[
        str | None, typer.Option(help="Labels, parts set off by |: 'G X U | K G L'; by seekpath unless given.")
    ] = None,
    zone: Annotated[
        str | None, typer.Option(help="Reflection h,k,l to which q is added; a strong one unless given.")
    ] = None,
    temperature: Temperature = 300.0,
    fwhm: Annotated[
        float | None, typer.Option(help="Width of the lines at half maximum, meV; 1.5 % of the highest energy.")
    ] = None,
    website: Annotated[
        Path | None, typer.Option(help="Write the path's modes as JSON for the phonon website, which animates them.")
    ] = None,
    engine: given.Engine = given.DEFAULT_ENGINE,
    length: given.Length = 10.0,
    supercell: given.Supercell = None,
    no_relax: given.NoRelax = False,
    cache: given.Cache = None,
) -> None:
    """Draw the band structure over the intensity S(Q,E) along a path, beside the density of states.

    Intensity is coherent, of one phonon, in one Brillouin zone: --zone chooses it.
    """
    from inscape.plots import bands_figure, write_figure
    from inscape.vibrations import band_structure, parse_path, phonon_website, write_phonon_website

    parts = None if path is None else parse_path(path)
    offset = None if zone is None else given.parse_numbers(zone, "zone")
    source = given.read_or_compute(file, engine, length, supercell, no_relax, cache)
    found = band_structure(source.force_constants, parts, zone=offset, temperature=temperature, fwhm=fwhm)
    written = [output or Path(f"{file.stem}-bands.png")]
    write_figure(bands_figure(found), written[0])
    if website is not None:
        write_phonon_website(phonon_website(source.force_constants, parts), website)
        written.append(website)
    typer.echo(f"wrote {', '.join(str(place) for place in written)}")
    given.warn(file, source)
