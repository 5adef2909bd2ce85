"""Results as answers: spectra, summary, the cell to draw, and how to make the same elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

from inscape.bonding import drawn_cell
from inscape.structures import Crystal
from inscape.web.arrays import Axis, Form, Variable, axis, variable

if TYPE_CHECKING:
    from inscape.results import Prediction

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


class Result(BaseModel):
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
    axes: dict[str, Axis]
    variables: dict[str, Variable]
    notes: list[str]
    reproduce: Reproduce


def cell_view(crystal: Crystal) -> dict[str, Any]:
    """The conventional cell of a crystal."""
    drawn = drawn_cell(crystal)
    return {
        "lattice": drawn.lattice.tolist(),
        "symbols": list(drawn.symbols),
        "positions": drawn.positions.tolist(),
        "bonds": drawn.bonds.tolist(),
    }


def spectra_view(prediction: Prediction, form: Form, wanted: set[str]) -> dict[str, Any]:
    """Axes and variables of a result: those wanted, or all but `LEFT_OUT`."""
    dataset = prediction.dataset
    names = [str(name) for name in dataset.data_vars if (name in wanted if wanted else name not in LEFT_OUT)]
    used = {str(dim) for name in names for dim in dataset[name].dims}
    return {
        "summary": prediction.summary(),
        "accuracy": dataset.attrs.get("accuracy"),
        "atoms": [str(symbol) for symbol in dataset["atom_symbol"].values] if "atom_symbol" in dataset else [],
        "axes": {str(name): axis(dataset, str(name), form) for name in dataset.coords if name in used},
        "variables": {name: variable(dataset[name], form) for name in names},
    }

