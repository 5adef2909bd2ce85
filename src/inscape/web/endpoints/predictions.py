"""Structures in, spectra out."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

from fastapi import APIRouter, Query, Response

from inscape.web.arrays import Form
from inscape.web.looking import NOTES, Identifier, LookedAt, look_at
from inscape.web.problems import PROBLEMS
from inscape.web.requests import PredictRequest, View
from inscape.web.service import Running
from inscape.web.views import Result, spectra_view

router = APIRouter(prefix="/api/v1", tags=["spectra"], responses=PROBLEMS)

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
    looked_at = LookedAt(record, crystal, request, prediction, NOTES["prediction"])
    return await asyncio.to_thread(_answer, looked_at, View(arrays=arrays))


@router.get("/results/{identifier}", response_model=Result, summary="A result, as it was asked for or looked at anew")
async def result(identifier: Identifier, service: Running, view: Annotated[View, Query()]) -> Response:
    """The result of an id. Settings that are given take the place of those it was made with: temperature, instrument,
    incident energy, many phonons, and of a prediction plane, grids and isotopes; nothing is stored. Of variables that
    are named, only the kinds they belong to are made, unless kinds are named too."""
    looked_at = await look_at(service, identifier, view)
    return await asyncio.to_thread(_answer, looked_at, view)

def _answer(looked_at: LookedAt, view: View) -> Response:
    answer = {**looked_at.facts(), **spectra_view(looked_at.prediction, view.arrays, set(view.variables))}
    return Response(json.dumps(answer, ensure_ascii=False, allow_nan=False), media_type="application/json")
