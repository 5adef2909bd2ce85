"""``inscape plot``: a file of spectra in, a figure for a paper out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inscape.cli.spectra import seen_through
from inscape.errors import DataError

if TYPE_CHECKING:
    from inscape.plots import Cut

AXES = {"q": "q", "e": "energy"}


def plot(
    file: Annotated[Path, typer.Argument(metavar="FILE.nc", help="A file that inscape wrote.")],
    cut: Annotated[
        list[str] | None, typer.Option(help="Average over a range and show the rest: q=3:3.2 (1/Å) or e=40:45 (meV).")
    ] = None,
    log: Annotated[bool, typer.Option("--log", help="Logarithmic scales of intensity.")] = False,
    ei: Annotated[float | None, typer.Option(help="Incident energy of direct geometry, meV: limits are drawn.")] = None,
    ef: Annotated[float | None, typer.Option(help="Final energy of indirect geometry, meV: the same.")] = None,
    instrument: Annotated[
        str | None, typer.Option(help="Look through this spectrometer: its resolution and its detectors.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Figure to write: .png, .svg or .pdf; <stem>-powder.png.")
    ] = None,
) -> None:
    """Draw the powder map for publication, cuts beside it; blank is what no detector reaches.

    A file made for an instrument is drawn as that instrument sees the crystal unless another is named: TOSCA and VISION
    have spectra of their banks. A file without either is drawn as `inscape predict` draws it.
    """
    cuts = [parse_cut(text) for text in cut or []]
    from inscape.plots import instrument_figure, overview, powder_figure, write_figure
    from inscape.results import Prediction

    prediction = Prediction.load(file)
    spectrometer = seen_through(instrument, ei, ef)
    map_wanted = bool(cuts) or spectrometer is not None
    if "instrument_spectrum" in prediction.dataset and not map_wanted:
        figure = instrument_figure(prediction.dataset, log=log)
    elif "powder" in prediction.kinds or map_wanted:
        figure = powder_figure(prediction.dataset, cuts=cuts, log=log, instrument=spectrometer)
    else:
        figure = overview(prediction.dataset)
    place = output or Path(f"{file.stem}-powder.png")
    write_figure(figure, place)
    typer.echo(f"wrote {place}")


def parse_cut(text: str) -> Cut:
    """The cut that ``q=3:3.2`` or ``e=40:45`` says; `DataError` for anything else."""
    from inscape.plots import Cut

    name, _, ends = text.partition("=")
    try:
        low, high = (float(word) for word in ends.split(":"))
        return Cut(AXES[name.strip().lower()], low, high)
    except (KeyError, ValueError):
        raise DataError(f"cut is {text!r}; expected q=3:3.2, in 1/Å, or e=40:45, in meV") from None
