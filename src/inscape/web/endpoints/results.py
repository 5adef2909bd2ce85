"""What is remembered: looked at anew, cut, downloaded, compared, and searched with."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from inscape.compare import compare
from inscape.retrieval import search
from inscape.spectra import cut
from inscape.web.arrays import Axis, Form, Variable, axis, variable
from inscape.web.downloads import TYPES, FileFormat, file_of
from inscape.web.looking import Identifier, look_at
from inscape.web.problems import PROBLEMS
from inscape.web.requests import Finite, Strict, View
from inscape.web.service import Running
from inscape.web.views import Found, Result, Spectra, as_json, dataset_view, found_view, result_view

router = APIRouter(prefix="/api/v1", tags=["results"], responses=PROBLEMS)


class Cut(BaseModel):
    """A cut of a map: its average over a range of one axis, over what is left."""

    axes: dict[str, Axis]
    variable: Variable
    low: float
    high: float


class CutView(View):
    """Which map to cut, and where."""

    of: Literal["powder", "powder_coherent", "powder_incoherent", "instrument_map", "crystal"] = "powder"
    axis: Literal["q", "energy", "h", "k"]
    low: Finite
    high: Finite


class CompareRequest(Strict):
    """Two results of the same atoms."""

    reference: Annotated[str, Field(max_length=64)]
    other: Annotated[str, Field(max_length=64)]
    temperature: Finite = 300.0
    sigma: Annotated[float, Field(ge=0, le=20)] = 1.0


class Compared(Spectra):
    """Figures of how far two results are apart, and both on one grid."""

    reference: str
    other: str
    figures: dict[str, dict[str, float | None]]
    notes: list[str]


class SearchRequest(Strict):
    """How to look for crystals whose spectra are alike."""

    kind: Literal["dos", "powder"] | None = None
    top: Annotated[int, Field(ge=1, le=100)] = 10
    stretch: Annotated[float, Field(ge=0, le=0.2)] = 0.0


@router.get("/results/{identifier}", response_model=Result, summary="A result, as it was made or looked at anew")
async def result(identifier: Identifier, service: Running, view: Annotated[View, Query()]) -> Response:
    """The result of an id. Settings that are given take the place of those it was made with: temperature, instrument,
    incident energy, many phonons, and of a prediction plane, grids and isotopes; nothing is stored. Of variables that
    are named, only the kinds they belong to are made, unless kinds are named too."""
    looked_at = await look_at(service, identifier, view)
    return await asyncio.to_thread(lambda: as_json(result_view(looked_at, view.arrays, set(view.variables))))


@router.get("/results/{identifier}/cut", response_model=Cut, summary="A cut of a map")
async def cut_of(identifier: Identifier, service: Running, view: Annotated[CutView, Query()]) -> Response:
    """The average of a map over a range of one axis, with the settings of the query."""
    view.variables = [view.of]
    looked_at = await look_at(service, identifier, view)
    return await asyncio.to_thread(lambda: as_json(_cut(looked_at.prediction.dataset, looked_at.data(view.of), view)))


def _cut(dataset: Any, data: Any, view: CutView) -> dict[str, Any]:
    found = cut(data, view.axis, view.low, view.high, edges=dataset[f"{view.axis}_edges"].values)
    return {
        "axes": {str(dim): axis(dataset, str(dim), view.arrays) for dim in found.dims},
        "variable": variable(found, view.arrays),
        "low": view.low,
        "high": view.high,
    }


@router.get(
    "/results/{identifier}/files/{form}",
    summary="A result as a file",
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in sorted(set(TYPES.values()))}, "description": "the file"}},
)
async def file(identifier: Identifier, form: FileFormat, service: Running, view: Annotated[View, Query()]) -> Response:
    """NetCDF (all of it), CSV (powder map, or the first of `kinds`), PNG and SVG (a picture), NXspe (the powder map as
    detectors of direct geometry would see it; needs `ei`), CIF (the structure); with the settings of the query."""
    looked_at = await look_at(service, identifier, view)
    data = await asyncio.to_thread(file_of, looked_at, form)
    name = f"{looked_at.file.rpartition('.')[0]}.{form}"
    return Response(data, media_type=TYPES[form], headers={"content-disposition": f'attachment; filename="{name}"'})


@router.post("/results/{identifier}/search", response_model=Found, summary="Known crystals whose spectra look like it")
async def search_like(
    identifier: Identifier, request: SearchRequest, service: Running, arrays: Form = "lists"
) -> Response:
    """Crystals of the index that ships, the best first."""
    looked_at = await look_at(service, identifier, View())
    options = request.model_dump()
    found = await asyncio.to_thread(lambda: search(looked_at.prediction, **options))
    return await asyncio.to_thread(lambda: as_json(found_view(found, arrays)))


@router.post("/compare", response_model=Compared, summary="Two results side by side")
async def compare_results(request: CompareRequest, service: Running, arrays: Form = "lists") -> Response:
    """How far one result is from another of the same atoms, both at one temperature."""
    view = View(temperature=request.temperature)
    pair = [await look_at(service, identifier, view) for identifier in (request.reference, request.other)]
    found = await asyncio.to_thread(
        lambda: compare(
            pair[0].prediction, pair[1].prediction, names=(pair[0].title, pair[1].title), sigma=request.sigma
        )
    )
    return await asyncio.to_thread(lambda: as_json({**found.to_dict(), **dataset_view(found.spectra, arrays)}))
