"""The crystals that are known, and the space of their codes."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from inscape.explore import atlas, decoded, find, ranges, spectra_of_index
from inscape.explore.atlas import UNITS
from inscape.index import shipped_index
from inscape.web.arrays import Form, Numbers, packed
from inscape.web.looking import Identifier
from inscape.web.problems import PROBLEMS, Refused
from inscape.web.requests import Finite, Strict
from inscape.web.views import Spectra, as_json, dataset_view

router = APIRouter(prefix="/api/v1", tags=["codes"], responses=PROBLEMS)

CodeKind = Literal["dos", "powder"]


class Known(BaseModel):
    """A crystal of the index."""

    id: str
    formula: str
    space_group: str
    split: str


class KnownSpectra(Known, Spectra):
    """What the index holds of a crystal, and its codes."""

    codes: dict[str, list[float]]


class Property(BaseModel):
    """One number of each crystal."""

    units: str
    values: Numbers


class CodeMap(BaseModel):
    """A point for each crystal: arrays in one order."""

    kind: CodeKind
    method: str
    ids: list[str]
    formulas: list[str]
    space_groups: list[str]
    x: Numbers
    y: Numbers
    properties: dict[str, Property]
    licence: str


class Ranges(BaseModel):
    """How far each element of a code goes: mean, 1st and 99th percentile over the index."""

    kind: CodeKind
    mean: list[float]
    low: list[float]
    high: list[float]


class DecodeRequest(Strict):
    """A code."""

    kind: CodeKind
    code: Annotated[list[Finite], Field(min_length=1, max_length=1000)]


@router.get("/library", summary="Look for known crystals")
async def library(
    formula: Annotated[str, Query(min_length=1, max_length=100)],
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> list[Known]:
    """By formula (SiO2), chemical system (Si-O) or id (mp-7000)."""
    index = await asyncio.to_thread(shipped_index)
    return [Known(**_known(number)) for number in await asyncio.to_thread(find, index, formula, limit)]


@router.get("/library/{identifier}", response_model=KnownSpectra, summary="A known crystal")
async def known(
    identifier: Identifier, temperature: Annotated[float, Query(ge=0, le=10_000)] = 300.0, arrays: Form = "lists"
) -> Response:
    """Density of states (area 1) and powder map (mean 1) of a crystal of the index."""
    index = await asyncio.to_thread(shipped_index)
    if identifier not in index.ids:
        raise Refused(404, "NotFound", f"there is no crystal {identifier!r} in the index", "ids are as mp-7000")
    number = index.ids.index(identifier)
    dataset = await asyncio.to_thread(spectra_of_index, index, number, temperature)
    codes = {kind: codes[number].tolist() for kind, codes in index.codes.items()}
    return as_json({**_known(number), "codes": codes, **dataset_view(dataset, arrays)})


@router.get("/codes/{kind}/map", response_model=CodeMap, summary="The map of the code space")
async def code_map(kind: CodeKind, arrays: Form = "lists") -> Response:
    """Two coordinates of every crystal of the index, principal components of its codes, and properties to colour by."""
    found = await asyncio.to_thread(atlas, kind)
    properties: dict[str, Any] = {
        name: {"units": UNITS[name], "values": packed(values, arrays)} for name, values in found.properties.items()
    }
    x, y = found.coordinates.T
    return as_json(
        {
            "kind": kind, "method": "pca", "ids": found.index.ids, "formulas": found.index.formulas,
            "space_groups": found.index.space_groups, "x": packed(x, arrays), "y": packed(y, arrays),
            "properties": properties, "licence": found.index.licence,
        }
    )  # fmt: skip


@router.get("/codes/{kind}", summary="How far the elements of codes go")
async def code_ranges(kind: CodeKind) -> Ranges:
    """For sliders."""
    found = await asyncio.to_thread(ranges, kind)
    return Ranges(kind=kind, **{name: values.tolist() for name, values in found.items()})


@router.post("/decode", response_model=Spectra, summary="What a code means")
async def decode(request: DecodeRequest, arrays: Form = "lists") -> Response:
    """Of `dos` a density of states of area 1; of `powder` the coherent scattering relative to its self part."""
    dataset = await asyncio.to_thread(decoded, request.kind, request.code)
    return as_json(dataset_view(dataset, arrays))


def _known(number: int) -> dict[str, str]:
    index = shipped_index()
    return {
        "id": index.ids[number],
        "formula": index.formulas[number],
        "space_group": index.space_groups[number],
        "split": index.splits[number],
    }
