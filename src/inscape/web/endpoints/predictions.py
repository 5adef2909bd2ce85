"""Structures in, spectra out."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from inscape.results import Prediction
from inscape.structures import Crystal
from inscape.web.arrays import Form
from inscape.web.problems import PROBLEMS
from inscape.web.reproduce import file_name, reproduce
from inscape.web.requests import PredictRequest, Settings, View, kinds_of
from inscape.web.service import Running, Service
from inscape.web.store import Record
from inscape.web.views import Result, cell_view, spectra_view

router = APIRouter(prefix="/api/v1", tags=["spectra"], responses=PROBLEMS)

TEMPERATURE_NOTE = (
    "temperature: the Bose factor is exact; so is the Debye–Waller factor of the incoherent part, atom by atom, for the "
    "predicted densities of states; interference between atoms is that of 10 K, as in inscape.predict"
)


@router.post("/predict", response_model=Result, summary="Predict the spectra of a crystal")
async def predict(request: PredictRequest, service: Running, arrays: Form = "lists") -> Response:
    """Density of states, powder map, single-crystal map and what follows from them; remembered under an id."""
    crystal = await asyncio.to_thread(request.structure.crystal, service.options)
    request.arguments()
    known = await service.predictor.foresee(crystal)
    prediction = await asyncio.to_thread(known.spectra, **request.arguments())
    kept = {
        "name": request.structure.name,
        "format": request.structure.format,
        "settings": request.settings(),
        "cell": crystal.to_dict(),
        "weights": prediction.dataset.attrs["weights"],
    }
    record = await asyncio.to_thread(service.store.add, "prediction", kept)
    service.predictor.remember(record.id, known)
    return await asyncio.to_thread(_answer, record, crystal, request, prediction, View(arrays=arrays))


@router.get("/results/{identifier}", response_model=Result, summary="A result, as it was asked for or looked at anew")
async def result(identifier: str, service: Running, view: Annotated[View, Query()]) -> Response:
    """The result of an id. Settings that are given take the place of those it was made with: temperature, instrument,
    incident energy, plane, grids, isotopes, many phonons; nothing is stored. Of variables that are named, only the
    kinds they belong to are made, unless kinds are named too."""
    record = service.record(identifier, "prediction")
    settings = Settings(**record.request["settings"]).changed(view)
    if view.variables and "kinds" not in view.model_fields_set:
        settings.kinds = kinds_of(view.variables)
    crystal = Crystal.from_cell(**record.request["cell"])
    prediction = await spectra_of(service, record, crystal, settings)
    return await asyncio.to_thread(_answer, record, crystal, settings, prediction, view)


async def spectra_of(service: Service, record: Record, crystal: Crystal, settings: Settings) -> Prediction:
    """Spectra of a result with settings."""
    known = await service.predictor.recall(record.id, crystal)
    return await asyncio.to_thread(known.spectra, **settings.arguments())


def _answer(record: Record, crystal: Crystal, settings: Settings, prediction: Prediction, view: View) -> Response:
    request = record.request
    file = file_name(request["name"], request["format"])
    answer: dict[str, Any] = {
        "id": record.id,
        "kind": record.kind,
        "name": request["name"],
        "created": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="seconds"),
        "settings": Settings(**settings.settings()).model_dump(),
        **spectra_view(prediction, view.arrays, set(view.variables)),
        "cell": cell_view(crystal),
        "notes": _notes(request, prediction),
        "reproduce": reproduce("predict", file, settings.settings(), settings.arguments()),
    }
    return Response(json.dumps(answer, ensure_ascii=False, allow_nan=False), media_type="application/json")


def _notes(request: dict[str, Any], prediction: Prediction) -> list[str]:
    notes = [TEMPERATURE_NOTE]
    if prediction.dataset.attrs["weights"] != request["weights"]:
        notes.append("made again by newer models than at first: numbers differ from those first shown")
    return notes
