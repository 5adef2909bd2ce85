"""What this service is and can do."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import cache
from importlib.resources import files
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from inscape import __version__
from inscape.errors import MissingPackageError
from inscape.notation import PLANES
from inscape.scattering import instrument_facts, instrument_names
from inscape.structures import parse_structure
from inscape.units import INVERSE_CM, THZ
from inscape.web.problems import PROBLEMS
from inscape.web.service import Running

router = APIRouter(prefix="/api/v1", tags=["about"], responses=PROBLEMS)

FORMATS: dict[str, Literal["cif", "poscar", "extxyz"]] = {"cif": "cif", "vasp": "poscar", "extxyz": "extxyz"}


class Health(BaseModel):
    """Whether the service works."""

    status: Literal["ok"]
    version: str


class InstrumentView(BaseModel):
    """A spectrometer: E_f of indirect geometry, the E_i that direct geometry takes (meV), banks that give spectra."""

    name: str
    geometry: Literal["direct", "indirect"] | None
    fixed_energy: float | None
    allowed: tuple[float, float] | None
    banks: list[str]


class About(BaseModel):
    """What this service offers, and its limits."""

    version: str
    engines: list[str]
    instruments: list[InstrumentView]
    planes: list[str]
    energy_units: dict[str, float]
    max_atoms: int
    max_structure_bytes: int
    max_upload_bytes: int
    max_structures: int
    jobs_per_client: int


class Example(BaseModel):
    """A structure to begin with."""

    id: str
    label: str
    format: Literal["cif", "poscar", "extxyz"]
    text: str


@router.get("/health", summary="Whether the service works")
async def health() -> Health:
    """Answers at once; needs no token."""
    return Health(status="ok", version=__version__)


@router.get("/about", summary="Version, engines, instruments, limits")
async def about(service: Running) -> About:
    """What this service can do."""
    o = service.options
    return About(
        version=__version__,
        engines=list(service.engines),
        instruments=list(await asyncio.to_thread(lambda: _instruments())),
        planes=list(PLANES),
        energy_units={"meV": 1.0, "cm⁻¹": 1 / INVERSE_CM, "THz": 1 / THZ},
        max_atoms=o.max_atoms,
        max_structure_bytes=o.max_structure_bytes,
        max_upload_bytes=o.max_upload_bytes,
        max_structures=o.max_structures,
        jobs_per_client=o.jobs_per_client,
    )


@router.get("/examples", summary="Structures to begin with")
async def examples() -> list[Example]:
    """A dozen crystals, as text that `predict` takes."""
    return list(_examples())


@cache
def _instruments() -> tuple[InstrumentView, ...]:
    """All spectrometers; none where their widths are not installed."""
    with suppress(MissingPackageError):
        return tuple(InstrumentView(**instrument_facts(name)) for name in instrument_names())
    return ()


@cache
def _examples() -> tuple[Example, ...]:
    """The files of the folder ``examples``, by name."""
    found = []
    for file in sorted(files("inscape.web").joinpath("examples").iterdir(), key=lambda file: file.name):
        stem, _, suffix = file.name.rpartition(".")
        text = file.read_text(encoding="utf-8")
        label = f"{stem.replace('-', ' ')}, {parse_structure(text, name=stem).formula}"
        found.append(Example(id=stem, label=label, format=FORMATS[suffix], text=text))
    return tuple(found)
