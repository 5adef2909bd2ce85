"""Results that are remembered, looked at with settings of any kind that need no new calculation."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Path
from xarray import load_dataset

from inscape.errors import DataError
from inscape.measured import check_measured
from inscape.redrawing import redraw
from inscape.results import BY_CODES, Prediction
from inscape.simulation.direct import ENGINE
from inscape.spectra import whole_powder
from inscape.structures import Crystal
from inscape.web.cells import cell_view
from inscape.web.reproduce import file_name, reproduce
from inscape.web.requests import Foresight, Settings, Simulation, View, kinds_of
from inscape.web.service import Service
from inscape.web.store import Record

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

Identifier = Annotated[str, Path(max_length=64)]

OF_CODES = (
    "Temperature: the Bose factor is exact, and so, for the predicted densities of states, is the Debye–Waller factor "
    "of the incoherent part, atom by atom. Interference between atoms is as at 10 K."
)
OF_FORCE_CONSTANTS = "Temperature: all factors are exact for the predicted force constants."
REDRAWN_MAP = (
    "Temperature: the Bose factor is exact, bin by bin. Debye–Waller factors follow the densities of states of the "
    "atoms, each bin that of the atoms that move at its energy; directions are averaged. At the temperature of the "
    "simulation all is exact."
)

REDRAWN = {"temperature", "kinds", "instrument", "ei", "ef", "multiphonon"}
"""Arguments with which a simulation can be looked at anew."""


@dataclass(frozen=True)
class LookedAt:
    """A result with settings."""

    record: Record
    crystal: Crystal
    settings: Settings
    prediction: Prediction
    notes: tuple[str, ...]

    @property
    def verb(self) -> str:
        """The command that makes such a result."""
        return "predict" if self.record.kind == "prediction" else "simulate"

    @property
    def file(self) -> str:
        """A name for the file of its structure."""
        return file_name(self.record.request["name"], self.record.request["format"])

    @property
    def title(self) -> str:
        """What it is called beside another."""
        return f"{self.record.kind} of {self.record.request['name']}"

    def data(self, name: str) -> DataArray:
        """A variable of the spectra; "powder" with all phonons that it holds; `DataError` if it is not there."""
        dataset = self.prediction.dataset
        if name not in dataset:
            raise DataError(f"this result holds no {name}: ask for its kind, or an instrument or ei for instrument_map")
        return whole_powder(dataset) if name == "powder" else dataset[name]

    def facts(self) -> dict[str, Any]:
        """All but the spectra, for an answer."""
        road = {"road": self.settings.road} if isinstance(self.settings, Foresight) else {}
        arguments = {**self.settings.arguments(), **road}
        return {
            "id": self.record.id,
            "kind": self.record.kind,
            "name": self.record.request["name"],
            "created": datetime.fromtimestamp(self.record.created, UTC).isoformat(timespec="seconds"),
            "settings": self.settings.model_dump(),
            "cell": cell_view(self.crystal),
            "notes": list(self.notes),
            "reproduce": reproduce(self.verb, self.file, self.settings.settings(), arguments),
        }


async def look_at(service: Service, identifier: str, view: View) -> LookedAt:
    """The result of an id with the settings of a view.

    Raises
    ------
    Refused
        There is no such result.
    InscapeError
        What cannot be had of it.
    """
    record = await asyncio.to_thread(service.record, identifier, "prediction", "simulation")
    crystal = Crystal.from_cell(**record.request["cell"])
    kind = Foresight if record.kind == "prediction" else Simulation
    settings = kind(**record.request["settings"]).changed(view)
    if view.variables and "kinds" not in view.model_fields_set:
        settings.kinds = kinds_of(view.variables)
    if isinstance(settings, Foresight):
        known = await service.predictor.recall(record.id, crystal, settings.road)
        prediction = await asyncio.to_thread(known.spectra, **settings.arguments())
    else:
        prediction = await asyncio.to_thread(_redrawn, record, crystal, settings, view)
    notes = [exactness(prediction)]
    made, first = prediction.dataset.attrs, {"engine": BY_CODES, **record.request}  # codes alone made the first results
    if record.kind == "prediction" and made["engine"] == first["engine"] and made["weights"] != first["weights"]:
        notes.append("Made again by newer models than at first: numbers differ from those first shown.")
    return LookedAt(record, crystal, settings, prediction, tuple(notes))


def exactness(prediction: Prediction) -> str:
    """How far other temperatures are exact."""
    known = {BY_CODES: OF_CODES, ENGINE: OF_FORCE_CONSTANTS}
    return known.get(prediction.dataset.attrs["engine"], REDRAWN_MAP)


def _redrawn(record: Record, crystal: Crystal, settings: Settings, view: View) -> Prediction:
    """A simulation with other settings, as far as its file allows."""
    given = view.arguments()
    own = Simulation(**record.request["settings"]).arguments()
    names = {"order": "multiphonon"}
    changed = {names.get(name, name) for name in view.settings()} - {"road"}
    if fixed := [name for name in changed - REDRAWN if given[name] != own[name]]:
        raise DataError(
            f"{', '.join(sorted(fixed))} of a simulation cannot be changed afterwards: simulate again, forces are kept"
        )
    assert record.data is not None
    result = Prediction.from_bytes(record.data)
    named = crystal.with_isotopes(own["isotopes"]) if own["isotopes"] else crystal
    arguments = settings.arguments()
    return redraw(result, named, **{name: arguments[name] for name in REDRAWN})


def spectrum_of(record: Record) -> Dataset:
    """The measured spectrum of a record."""
    assert record.data is not None
    return check_measured(load_dataset(BytesIO(record.data), engine="h5netcdf"))
