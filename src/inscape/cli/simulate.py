"""``inscape simulate``: structures or calculations in, one file of exact spectra and one picture for each out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inscape.cli import force_constants as given
from inscape.cli import spectra
from inscape.cli.tables import Done, Failed
from inscape.cli.terminal import Report, goes_on, progress_bar
from inscape.errors import ForceConstantsError, InscapeError, StructureError

if TYPE_CHECKING:
    from inscape.potentials import Engine
    from inscape.structures import Crystal

Source = tuple[str, "Crystal | Path"]
"""What a structure or calculation is called, and a crystal or the path of a calculation."""

Task = tuple[str, "Crystal | Path", Path]
"""A source, and the place of its files without their suffix."""

ABOUT_ONE = (StructureError, ForceConstantsError)
"""Errors that say nothing about the other structures."""

KILLED = "killed its process each time, the last time alone, probably for memory; choose a smaller supercell"


def simulate(
    structures: Annotated[
        list[Path],
        typer.Argument(
            help="Structure files (CIF, POSCAR, extended XYZ, all that ASE reads) or folders; or calculations that "
            "exist: phonopy yaml files or folders, archives of the phonondb, .castep_bin or .check files of CASTEP, "
            "force constants of Euphonic in JSON."
        ),
    ],
    engine: Annotated[
        str,
        typer.Option(
            help="Interatomic potential: nequix-oam-1-pft, sevennet-0, sevennet-l3i5, chgnet, direct (the model), or "
            "ase:package.module:factory."
        ),
    ] = given.DEFAULT_ENGINE,
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
    length: given.Length = 10.0,
    supercell: given.Supercell = None,
    no_relax: given.NoRelax = False,
    born: Annotated[
        Path | None,
        typer.Option(help="Born charges, which potentials lack: a BORN file, or a calculation of the same crystal."),
    ] = None,
    born_from: Annotated[
        Path | None, typer.Option(help="Library of spectra in which to look for Born charges of the same crystal.")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes for many structures, of one thread each if there are several.")
    ] = 1,
    cache: given.Cache = None,
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
        "supercell": None if supercell is None else given.parse_supercell(supercell),
        "relax": not no_relax,
        "born": born,
        "born_from": born_from,
        "cache": cache,
    }
    with goes_on(given.FORCES_KEPT):
        folder = spectra.output_folder(output)
        done, failed = _simulate_all(structures, folder, options, plot=not no_plot, workers=workers)
    spectra.print_outcome(done, failed, as_json=as_json)


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


@dataclass(frozen=True)
class Work:
    """What is done with one structure or calculation, in this process or another."""

    options: dict[str, Any]
    plot: bool

    def __call__(self, task: Task, report: Report | None = None) -> Done | InscapeError:
        """Simulate it and write its files."""
        from inscape.simulation import simulate

        name, source, place = task
        engine = self.options["engine"]
        options = {**self.options, "engine": engine if isinstance(source, Path) else _engine(engine)}
        try:
            return spectra.write_files(name, place, simulate(source, **options, progress=report), plot=self.plot)
        except InscapeError as error:
            return error
        except Exception as error:  # whatever it is, it must not end the simulation of all the others
            failure = StructureError(f"{name}: {type(error).__name__}: {error}")
            failure.__cause__ = error
            return failure


@cache
def _engine(name: str) -> Engine:
    """An engine, loaded once for all structures."""
    from inscape.potentials import engine

    return engine(name)


def _simulate_all(
    paths: list[Path], folder: Path, options: dict[str, Any], *, plot: bool, workers: int
) -> tuple[list[Done], list[Failed]]:
    """Simulate and write everything that can be read; a single one that fails is raised."""
    sources, failed = _sources(paths)
    stems = spectra.unique_stems([name for name, _ in sources])
    tasks = [(name, source, folder / stem) for (name, source), stem in zip(sources, stems, strict=True)]
    alone = len(tasks) + len(failed) == 1
    work = Work(options, plot)
    done: dict[Path, Done] = {}
    with progress_bar(f"simulating {stems[0]}" if alone and stems else "simulating") as report:
        outcomes = _in_processes(work, tasks, workers, report) if workers > 1 else _one_by_one(work, tasks, report)
        for task, outcome in outcomes:
            if isinstance(outcome, Done):
                done[task[2]] = outcome
            elif alone or not isinstance(outcome, ABOUT_ONE):
                raise outcome
            else:
                failed.append(Failed(task[0], str(outcome)))
    return [done[place] for _, _, place in tasks if place in done], failed


def _one_by_one(work: Work, tasks: list[Task], report: Report) -> Iterator[tuple[Task, Done | InscapeError]]:
    """What comes of each, in this process; supercells count as parts of a structure where there are several."""
    for number, task in enumerate(tasks):

        def within(done: float, total: int, last: str, number: int = number, stem: str = task[2].name) -> None:
            if len(tasks) == 1:
                report(done, total, last)
            else:
                report(number + done / total, len(tasks), f"{stem}: {last}, {done:g} of {total}")

        yield task, work(task, within)


def _in_processes(
    work: Work, tasks: list[Task], workers: int, report: Report
) -> Iterator[tuple[Task, Done | InscapeError]]:
    """What comes of each, as it comes, from processes of one thread."""
    from inscape.library.cluster import Cluster
    from inscape.library.dispatch import connect, run

    report(0, len(tasks), "waiting for workers")
    with connect(Cluster(workers=min(workers, len(tasks)) or 1)) as client:
        for count, (task, outcome) in enumerate(run(client, work, tasks), start=1):
            yield task, StructureError(KILLED) if outcome is None else outcome
            report(count, len(tasks), task[0])
