"""``inscape simulate``: structures or calculations in, one file of exact spectra and one picture for each out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inscape.cli import spectra
from inscape.cli.tables import Done, Failed
from inscape.cli.terminal import note, progress_bar
from inscape.errors import ForceConstantsError, GridError, StructureError

if TYPE_CHECKING:
    from inscape.structures import Crystal

Source = tuple[str, "Crystal | Path"]
"""What a structure or calculation is called, and a crystal or the path of a calculation."""


def simulate(
    structures: Annotated[
        list[Path],
        typer.Argument(
            help="Structure files (CIF, POSCAR, extended XYZ, all that ASE reads) or folders; or calculations that "
            "exist: phonopy yaml files or folders, archives of the phonondb."
        ),
    ],
    engine: Annotated[
        str,
        typer.Option(help="Interatomic potential: sevennet-0, sevennet-l3i5, or ase:package.module:factory."),
    ] = "sevennet-0",
    output: spectra.Output = Path("."),
    temperature: spectra.Temperature = 300.0,
    plane: spectra.PlaneText = "HK0",
    kinds: spectra.KindsText = spectra.ALL_KINDS,
    emax: spectra.TopEnergy = None,
    de: spectra.EnergyStep = 0.5,
    qmax: spectra.TopQ = 10.0,
    dq: spectra.QStep = 0.1,
    instrument: spectra.InstrumentName = None,
    ei: spectra.IncidentEnergy = None,
    ef: spectra.FinalEnergy = None,
    setting: spectra.InstrumentSetting = None,
    isotope: spectra.Isotopes = None,
    multiphonon: spectra.Multiphonon = False,
    order: spectra.Order = None,
    length: Annotated[float, typer.Option(help="Least distance between opposite faces of the supercell, Å.")] = 10.0,
    supercell: Annotated[
        str | None,
        typer.Option(help="The supercell itself, in conventional cells: '2 2 2', or nine numbers, row by row."),
    ] = None,
    no_relax: Annotated[bool, typer.Option("--no-relax", help="Take cell and positions as they are.")] = False,
    cache: Annotated[
        Path | None, typer.Option(help="Folder where forces are kept; one in the user's cache folder unless given.")
    ] = None,
    as_json: spectra.AsJson = False,
    no_plot: spectra.NoPlot = False,
) -> None:
    """Simulate the neutron spectra of crystals by lattice dynamics: <stem>.nc and <stem>.png as from predict.

    Forces come from an interatomic potential, everything else is exact. They are kept: interrupted, the same command
    goes on where it stopped. What cannot be used is refused with exit status 2; among several, the others go on, and
    the exit status is 1.
    """
    shared = spectra.settings(
        temperature=temperature,
        plane=plane,
        kinds=kinds,
        emax=emax,
        de=de,
        qmax=qmax,
        dq=dq,
        instrument=instrument,
        ei=ei,
        ef=ef,
        setting=setting,
        isotope=isotope,
        multiphonon=multiphonon,
        order=order,
    )
    options: dict[str, Any] = {
        **shared,
        "engine": engine,
        "length": length,
        "supercell": None if supercell is None else parse_supercell(supercell),
        "relax": not no_relax,
        "cache": cache,
    }
    try:
        done, failed = _simulate_all(structures, spectra.output_folder(output), options, plot=not no_plot)
    except KeyboardInterrupt:
        note("interrupted", "forces are kept; the same command goes on where it stopped")
        raise typer.Exit(130) from None
    spectra.print_outcome(done, failed, as_json=as_json)


def parse_supercell(text: str) -> list[int]:
    """Three or nine whole numbers; `GridError` for anything else."""
    try:
        numbers = [int(word) for word in text.replace(",", " ").replace(";", " ").split()]
    except ValueError:
        numbers = []
    if len(numbers) not in (3, 9):
        raise GridError(f"supercell is {text!r}; expected three or nine whole numbers, as '2 2 2'")
    return numbers


def _sources(paths: list[Path]) -> tuple[list[Source], list[Failed]]:
    """Crystals and calculations in the order given, and what cannot be read; a single one that fails is raised."""
    from inscape.lattice import is_calculation
    from inscape.structures import read_structures

    found: list[Source] = []
    failed: list[Failed] = []
    for path in paths:
        if is_calculation(path):
            found.append((str(path), path))
            continue
        for item in read_structures(path):
            if item.crystal is not None:
                found.append((item.name, item.crystal))
            elif item.error is not None and len(paths) == 1 and item.name == str(path):
                raise item.error
            else:
                failed.append(Failed(item.name, str(item.error)))
    return found, failed


def _simulate_all(
    paths: list[Path], folder: Path, options: dict[str, Any], *, plot: bool
) -> tuple[list[Done], list[Failed]]:
    """Simulate and write everything that can be read; a single one that fails is raised."""
    from inscape.simulation import simulate

    sources, failed = _sources(paths)
    alone = len(sources) + len(failed) == 1
    done: list[Done] = []
    for (name, source), stem in zip(sources, spectra.unique_stems([name for name, _ in sources]), strict=True):
        with progress_bar(f"simulating {stem}") as report:
            try:
                result = simulate(source, **options, progress=report)
            except (StructureError, ForceConstantsError) as error:
                if alone:
                    raise
                failed.append(Failed(name, str(error)))
                continue
        done.append(spectra.write_files(name, folder / stem, result, plot=plot))
    return done, failed
