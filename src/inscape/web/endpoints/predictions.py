"""Structures in, spectra out."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from inscape.errors import InscapeError
from inscape.web.arrays import Form
from inscape.web.looking import LookedAt, exactness
from inscape.web.problems import PROBLEMS, Problem, Refused, problem_of
from inscape.web.requests import Foresight, PredictRequest, Structure
from inscape.web.service import Running, Service
from inscape.web.views import Result, as_json, result_view

router = APIRouter(prefix="/api/v1", tags=["spectra"], responses=PROBLEMS)


class ManyRequest(Foresight):
    """Structures, and what to predict of all of them."""

    structures: Annotated[list[Structure], Field(min_length=1)]


class Done(BaseModel):
    """One structure that was predicted."""

    id: str
    name: str
    summary: dict[str, Any]


class Failure(BaseModel):
    """One structure that was refused."""

    name: str
    problem: Problem


class Many(BaseModel):
    """What came of several structures, in their order."""

    results: list[Done]
    failures: list[Failure]


@router.post("/predict", response_model=Result, summary="Predict the spectra of a crystal")
async def predict(request: PredictRequest, service: Running, arrays: Form = "lists") -> Response:
    """Density of states, powder map, single-crystal map and what follows from them; remembered under an id."""
    looked_at = await _predicted(service, request.structure, request)
    return await asyncio.to_thread(lambda: as_json(result_view(looked_at, arrays, set())))


@router.post("/predict/many", summary="Predict the spectra of several crystals")
async def predict_many(request: ManyRequest, service: Running) -> Many:
    """A summary and an id of each; what cannot be used does not stop the others."""
    if len(request.structures) > service.options.max_structures:
        raise Refused(
            413, "TooLarge", f"{len(request.structures)} structures, at most {service.options.max_structures} may be",
            "send them in several requests",
        )  # fmt: skip
    request.check()
    tasks = [_predicted(service, structure, request) for structure in request.structures]
    many = Many(results=[], failures=[])
    for structure, outcome in zip(
        request.structures, await asyncio.gather(*tasks, return_exceptions=True), strict=True
    ):
        if isinstance(outcome, LookedAt):
            summary = outcome.prediction.summary()
            many.results.append(Done(id=outcome.record.id, name=structure.name, summary=summary))
        elif isinstance(outcome, InscapeError):
            many.failures.append(Failure(name=structure.name, problem=problem_of(outcome)))
        elif isinstance(outcome, Refused):
            many.failures.append(Failure(name=structure.name, problem=outcome.problem))
        else:
            raise outcome
    return many


async def _predicted(service: Service, structure: Structure, settings: Foresight) -> LookedAt:
    """The prediction of one structure, remembered."""
    settings.check()
    crystal = await asyncio.to_thread(structure.crystal, service.options)
    known = await service.predictor.foresee(crystal, settings.road)
    prediction = await asyncio.to_thread(known.spectra, **settings.arguments())
    made = {name: prediction.dataset.attrs[name] for name in ("engine", "weights")}
    kept = {**structure.kept(crystal), "settings": settings.settings(), **made}
    record = await asyncio.to_thread(service.store.add, "prediction", kept)
    service.predictor.remember(record.id, known)
    return LookedAt(record, crystal, Foresight(**settings.settings()), prediction, (exactness(prediction),))
