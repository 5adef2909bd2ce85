"""Results as answers: spectra, summary, the cell to draw, and how to make the same elsewhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from fastapi import Response
from pydantic import BaseModel

from inscape.web.arrays import Axis, Form, Variable, axis, variable

if TYPE_CHECKING:
    from xarray import Dataset

    from inscape.retrieval import SearchResult
    from inscape.web.looking import LookedAt

LEFT_OUT = {"crystal", "crystal_incoherent"}
"""Variables that are sent only if they are asked for: they are large."""


class Cell(BaseModel):
    """The conventional cell: rows of the lattice and positions in Å, bonds as pairs of numbers of atoms."""

    lattice: list[list[float]]
    symbols: list[str]
    positions: list[list[float]]
    bonds: list[list[int]]


class Reproduce(BaseModel):
    """The Python and the command that do the same."""

    python: str
    command: str


class Spectra(BaseModel):
    """Numbers over axes."""

    axes: dict[str, Axis]
    variables: dict[str, Variable]


class Result(Spectra):
    """Spectra of one crystal, and where they come from."""

    id: str
    kind: Literal["prediction", "simulation"]
    name: str
    created: str
    settings: dict[str, Any]
    summary: dict[str, Any]
    accuracy: str | None
    atoms: list[str]
    cell: Cell
    notes: list[str]
    reproduce: Reproduce


class MatchView(BaseModel):
    """A known crystal that looks like what was searched with."""

    id: str
    formula: str
    space_group: str
    split: str
    score: float
    chi2: float | None
    chi2_above_first: float | None
    stretch: float


class Found(Spectra):
    """Known crystals, the best first, and the spectra of the best beside the query."""

    kind: str
    matches: list[MatchView]
    notes: list[str]


def found_view(found: SearchResult, form: Form) -> dict[str, Any]:
    """What a search found."""
    return {**found.to_dict(), **dataset_view(found.spectra, form)}


def result_view(looked_at: LookedAt, form: Form, wanted: set[str]) -> dict[str, Any]:
    """A result with the variables wanted, or all but `LEFT_OUT`."""
    prediction = looked_at.prediction
    dataset = prediction.dataset
    names = {str(name) for name in dataset.data_vars if (name in wanted if wanted else name not in LEFT_OUT)}
    return {
        **looked_at.facts(),
        "summary": prediction.summary(),
        "accuracy": dataset.attrs.get("accuracy"),
        "atoms": [str(symbol) for symbol in dataset["atom_symbol"].values] if "atom_symbol" in dataset else [],
        **dataset_view(dataset, form, names),
    }


def dataset_view(dataset: Dataset, form: Form, wanted: set[str] | None = None) -> dict[str, Any]:
    """Axes and variables of any dataset, all or those wanted; bin edges belong to their axes.

    Single numbers are no variables: summaries have them.
    """
    every = [str(name) for name, data in dataset.data_vars.items() if data.dims and not str(name).endswith("_edges")]
    names = [name for name in every if wanted is None or name in wanted]
    used = {str(dim) for name in names for dim in dataset[name].dims}
    return {
        "axes": {str(name): axis(dataset, str(name), form) for name in dataset.coords if name in used},
        "variables": {name: variable(dataset[name], form) for name in names},
    }


def as_json(answer: dict[str, Any]) -> Response:
    """An answer that is not checked against its description: arrays are long."""
    return Response(json.dumps(answer, ensure_ascii=False, allow_nan=False), media_type="application/json")
