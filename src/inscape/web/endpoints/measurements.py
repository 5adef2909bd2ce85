"""Measured spectra: read, cleaned, searched with, and theory laid over them."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from inscape.measured import denoise
from inscape.measured.fitting import fit_theory
from inscape.retrieval import search
from inscape.scattering import chosen_instrument
from inscape.web.arrays import Form
from inscape.web.looking import Identifier, look_at, spectrum_of
from inscape.web.problems import PROBLEMS
from inscape.web.requests import Finite, Settings, Strict, View
from inscape.web.security import BINARY_TYPE
from inscape.web.service import Running
from inscape.web.uploads import read_upload
from inscape.web.views import Found, Spectra, as_json, dataset_view, found_view

router = APIRouter(prefix="/api/v1", tags=["measurements"], responses=PROBLEMS)

Positive = Annotated[float, Field(gt=0, le=10_000)]


class Upload(Strict):
    """What the file does not say."""

    name: Annotated[str, Field(max_length=200)] = "measurement"
    kind: Literal["powder map", "density of states"] | None = None
    energy_unit: Literal["meV", "THz", "cm-1", "eV", "µeV"] | None = None
    incident_energy: Positive | None = None
    temperature: Positive | None = None
    arrays: Form = "lists"


class Measurement(Spectra):
    """A measured spectrum: ``intensity`` and ``variance``; cleaned also ``clean``, ``uncertainty``, ``residual``."""

    id: str
    name: str
    facts: dict[str, Any]


class DenoiseRequest(Strict):
    """How to clean a powder map."""

    dose: Annotated[float, Field(gt=0, le=1e15)] | None = None


class MeasuredSearch(Strict):
    """How to look for crystals whose spectra are alike."""

    top: Annotated[int, Field(ge=1, le=100)] = 10
    temperature: Positive | None = None
    emin: Annotated[float, Field(ge=0, le=1000)] | None = None
    background: bool = False
    stretch: Annotated[float, Field(ge=0, le=0.2)] = 0.0
    instrument: Annotated[str, Field(max_length=100)] | None = None
    ei: Positive | None = None
    ef: Positive | None = None


class FitRequest(Strict):
    """A result to lay over a measurement, and how."""

    result: Annotated[str, Field(max_length=64)]
    instrument: Annotated[str, Field(max_length=100)] | None = None
    ei: Positive | None = None
    background: Annotated[int, Field(ge=-1, le=9)] = 1
    energy_range: tuple[Finite, Finite] | None = None
    q_range: tuple[Finite, Finite] | None = None
    multiphonon: bool = True


class Fitted(Spectra):
    """Figures of a fit, and measurement, theory, background and residual on one grid."""

    fit: dict[str, Any]


@router.post(
    "/measurements",
    response_model=Measurement,
    summary="Send a measured spectrum",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {BINARY_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def upload(http: Request, service: Running, options: Annotated[Upload, Query()]) -> Response:
    """The body is the file, of any format that `inscape convert` reads, found by what is in it."""
    data = await http.body()
    asked = options.model_dump(exclude={"name", "arrays"}, exclude_none=True)
    found = await asyncio.to_thread(read_upload, data, options.name, asked)
    record = await asyncio.to_thread(service.store.add, "measurement", {"name": options.name}, found)
    return await asyncio.to_thread(_answer, record.id, options.name, spectrum_of(record), options.arrays)


@router.get("/measurements/{identifier}", response_model=Measurement, summary="A measured spectrum")
async def measurement(identifier: Identifier, service: Running, arrays: Form = "lists") -> Response:
    """What was sent, as it was understood."""
    record = await asyncio.to_thread(service.record, identifier, "measurement")
    return await asyncio.to_thread(_answer, record.id, record.request["name"], spectrum_of(record), arrays)


@router.post("/measurements/{identifier}/denoise", response_model=Measurement, summary="Clean it")
async def clean(identifier: Identifier, request: DenoiseRequest, service: Running, arrays: Form = "lists") -> Response:
    """The powder map without noise, gaps filled, with the uncertainty of each bin; ``facts`` hold the warning."""
    record = await asyncio.to_thread(service.record, identifier, "measurement")
    found = await asyncio.to_thread(partial(denoise, spectrum_of(record), dose=request.dose))
    return await asyncio.to_thread(_answer, record.id, record.request["name"], found, arrays)


@router.post("/measurements/{identifier}/search", response_model=Found, summary="Known crystals that look like it")
async def search_like(
    identifier: Identifier, request: MeasuredSearch, service: Running, arrays: Form = "lists"
) -> Response:
    """Crystals of the index that ships, each fitted with a scale of its own to the bins measured."""
    record = await asyncio.to_thread(service.record, identifier, "measurement")
    options = request.model_dump(exclude={"instrument", "ei", "ef"})
    seen_by = chosen_instrument(request.instrument, request.ei, request.ef) if request.instrument else None
    found = await asyncio.to_thread(partial(search, spectrum_of(record), instrument=seen_by, **options))
    return await asyncio.to_thread(lambda: as_json(found_view(found, arrays)))


@router.post("/measurements/{identifier}/fit", response_model=Fitted, summary="Lay a result over it")
async def fit(identifier: Identifier, request: FitRequest, service: Running, arrays: Form = "lists") -> Response:
    """The result brought to the bins of the measurement, its scale and a background fitted."""
    record = await asyncio.to_thread(service.record, identifier, "measurement")
    measured = spectrum_of(record)
    kind = "dos" if measured.attrs["kind"] == "density of states" else "powder"
    asked: dict[str, Any] = {"kinds": [kind, "dos"] if kind == "powder" else ["dos"]}
    if kind == "powder":
        asked |= {"temperature": measured.attrs.get("temperature_K", Settings().temperature)}
        asked |= {"multiphonon": request.multiphonon, "order": None}
    theory = await look_at(service, request.result, View(**asked))
    seen_by = chosen_instrument(request.instrument, request.ei, None) if request.instrument else None
    options = request.model_dump(include={"background", "energy_range", "q_range"})
    found = await asyncio.to_thread(partial(fit_theory, measured, theory.prediction, instrument=seen_by, **options))
    return await asyncio.to_thread(lambda: as_json({"fit": found.to_dict(), **dataset_view(found.spectra, arrays)}))


def _answer(identifier: str, name: str, dataset: Any, form: Form) -> Response:
    facts = {str(key): _plain(value) for key, value in dataset.attrs.items()}
    return as_json({"id": identifier, "name": name, "facts": facts, **dataset_view(dataset, form)})


def _plain(value: Any) -> Any:
    """An attribute for JSON."""
    found = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(found, float) and found not in (float("inf"), float("-inf")) and found == found:
        return found
    return found if isinstance(found, bool | int) else str(found)
