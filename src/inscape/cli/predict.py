"""``inscape predict``: structures in, one file of spectra and one picture for each out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inscape.cli import spectra
from inscape.cli.tables import Done, Failed
from inscape.cli.terminal import progress_bar
from inscape.errors import StructureError

if TYPE_CHECKING:
    from inscape.results import Prediction
    from inscape.structures import Crystal

BATCH = 32
"""Structures that are predicted at once; files are written after each batch."""


def predict(
    structures: Annotated[
        list[Path], typer.Argument(help="Structure files (CIF, POSCAR, extended XYZ, all that ASE reads) or folders.")
    ],
    road: Annotated[
        str,
        typer.Option(
            help="force-constants: by those of all pairs of atoms, and exact lattice dynamics, in tenths of a second; "
            "code: by codes of the maps, in milliseconds; auto: by the one whose typical errors are smaller."
        ),
    ] = "auto",
    uncertainty: Annotated[
        bool, typer.Option("--uncertainty", help="Standard errors of maps; not with the road code.")
    ] = False,
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
    as_json: spectra.AsJson = False,
    no_plot: spectra.NoPlot = False,
) -> None:
    """Predict the neutron spectra of crystals: <stem>.nc with the numbers and <stem>.png with a picture of each.

    A structure that cannot be used is refused with exit status 2; among several, the others go on, and the exit status
    is 1.
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
    options = {**shared, "road": road, "uncertainty": uncertainty}
    done, failed = _predict_all(structures, spectra.output_folder(output), options, plot=not no_plot)
    spectra.print_outcome(done, failed, as_json=as_json)


def _predict_all(
    sources: list[Path], folder: Path, options: dict[str, Any], *, plot: bool
) -> tuple[list[Done], list[Failed]]:
    """Predict and write everything that can be read; a single structure that fails is raised."""
    from inscape.structures import read_structures

    loaded = read_structures(list(sources))
    if len(loaded) == 1 and loaded[0].error is not None:
        raise loaded[0].error
    failed = [Failed(item.name, str(item.error)) for item in loaded if item.error is not None]
    crystals = [(item.name, item.crystal) for item in loaded if item.crystal is not None]
    stems = spectra.unique_stems([name for name, _ in crystals])
    done: list[Done] = []
    with progress_bar("predicting") as report:
        for start in range(0, len(crystals), BATCH):
            batch = crystals[start : start + BATCH]
            found = _predict_batch(batch, options, alone=len(loaded) == 1)
            for (source, _), stem, outcome in zip(batch, stems[start : start + BATCH], found, strict=True):
                if isinstance(outcome, StructureError):
                    failed.append(Failed(source, str(outcome)))
                else:
                    done.append(spectra.write_files(source, folder / stem, outcome, plot=plot))
                report(len(done) + len(failed), len(loaded), source)
    return done, failed


def _predict_batch(
    batch: Sequence[tuple[str, Crystal]], options: dict[str, Any], *, alone: bool
) -> Sequence[Prediction | StructureError]:
    """Predictions of a batch; if one structure spoils it, one by one."""
    from inscape.prediction import predict_many

    try:
        return predict_many([crystal for _, crystal in batch], **options)
    except StructureError as error:
        if alone:
            raise
        if len(batch) == 1:
            return [error]
    return [outcome for one in batch for outcome in _predict_batch([one], options, alone=False)]
