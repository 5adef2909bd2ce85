"""What clients ask for: structures and settings, and what these mean for the functions of the package."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from inscape.cells.files import format_of_text
from inscape.notation import parse_isotopes, parse_plane
from inscape.settings import SpectraSettings
from inscape.structures import Crystal, parse_structure
from inscape.web.arrays import Form
from inscape.web.options import ServiceOptions
from inscape.web.problems import Refused

Kind = Literal["dos", "powder", "crystal"]
Road = Literal["auto", "force-constants", "code"]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Strict(BaseModel):
    """A body in which unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class Structure(Strict):
    """A crystal structure as text; its format is found by what is in it unless given."""

    text: str
    format: Literal["cif", "poscar", "extxyz"] | None = None
    name: Annotated[str, Field(max_length=200)] = "structure"

    def kept(self, crystal: Crystal) -> dict[str, Any]:
        """What is remembered of it."""
        form = self.format or format_of_text(self.text)
        return {"name": self.name, "format": form, "cell": crystal.to_dict()}

    def crystal(self, options: ServiceOptions) -> Crystal:
        """The crystal, within the limits of the service.

        Raises
        ------
        StructureError
            As of `inscape.read_structure`.
        Refused
            A text or a cell that is too large.
        """
        if (size := len(self.text.encode("utf-8", errors="replace"))) > options.max_structure_bytes:
            raise Refused(
                413, "TooLarge", f"{self.name} has {size} bytes, at most {options.max_structure_bytes} are taken here",
                "give the primitive cell",
            )  # fmt: skip
        found = parse_structure(self.text, self.format, name=self.name)
        if found.n_atoms > options.max_atoms:
            raise Refused(
                422, "StructureError",
                f"{self.name}: the primitive cell has {found.n_atoms} atoms, at most {options.max_atoms} may be",
                "choose a smaller crystal, or use inscape on a machine of your own",
            )  # fmt: skip
        return found


class Settings(Strict):
    """Which spectra, on which grids, and how the crystal is looked at: those that predictions and simulations share.

    Planes and isotopes are written as on the command line: ``HK0`` or ``1 0 0; 0 1 0``, ``H=D``, ``Li=7Li``.
    """

    temperature: Finite = 300.0
    plane: Annotated[str, Field(max_length=200)] = "HK0"
    kinds: Annotated[list[Kind], Field(min_length=1, max_length=3)] = ["dos", "powder", "crystal"]
    emax: Annotated[float, Field(gt=0, le=1000)] | None = None
    de: Annotated[float, Field(ge=0.1, le=50)] = 0.5
    qmax: Annotated[float, Field(gt=0, le=30)] = 10.0
    dq: Annotated[float, Field(ge=0.02, le=10)] = 0.1
    instrument: Annotated[str, Field(max_length=100)] | None = None
    ei: Annotated[float, Field(gt=0, le=10_000)] | None = None
    ef: Annotated[float, Field(gt=0, le=10_000)] | None = None
    multiphonon: bool = False
    order: Annotated[int, Field(ge=1, le=50)] | None = None
    isotopes: Annotated[list[Annotated[str, Field(max_length=50)]], Field(max_length=50)] = []

    def arguments(self) -> dict[str, Any]:
        """Arguments of `inscape.predict` and `inscape.simulate` alike."""
        return {
            **self.model_dump(include=PLAIN),
            "kinds": tuple(self.kinds),
            "plane": parse_plane(self.plane),
            "isotopes": parse_isotopes(self.isotopes),
            "multiphonon": self.multiphonon if self.order is None else self.order,
        }

    def check(self, crystal: Crystal | None = None) -> None:
        """Refuse what makes no sense, also for the crystal if it is given, in the words of inscape."""
        arguments = self.arguments()
        SpectraSettings(**{name: arguments[name] for name in (*PLAIN, "kinds", "plane", "multiphonon")})
        if crystal is not None and arguments["isotopes"]:
            crystal.with_isotopes(arguments["isotopes"])

    def changed(self, other: Settings) -> Self:
        """These settings with those of the other that were given; a simulation has no road."""
        given = {name: value for name, value in other.settings().items() if name in type(self).model_fields}
        return type(self)(**{**self.settings(), **given})

    def settings(self) -> dict[str, Any]:
        """The settings that were given, for JSON."""
        return self.model_dump(include=SETTINGS, exclude_unset=True)


PLAIN = {"temperature", "emax", "de", "qmax", "dq", "instrument", "ei", "ef"}
"""Settings that are arguments of the same name and value."""


class Foresight(Settings):
    """Settings of `inscape.predict`."""

    road: Road = "auto"


class PredictRequest(Foresight):
    """A structure, and what to predict of it."""

    structure: Structure


class Simulation(Settings):
    """Settings of `inscape.simulate`; the engine is one of those that the service offers."""

    engine: Annotated[str, Field(max_length=200)] = "sevennet-0"
    length: Annotated[float, Field(ge=3, le=30)] = 10.0
    relax: bool = True

    def arguments(self) -> dict[str, Any]:
        """Arguments of `inscape.simulate`."""
        return {**super().arguments(), "engine": self.engine, "length": self.length, "relax": self.relax}


SETTINGS = {*Foresight.model_fields, *Simulation.model_fields}
"""Keys of requests that are settings; others say what is sent and how."""


class SimulateRequest(Simulation):
    """A structure, and how to simulate it."""

    structure: Structure


class View(Foresight):
    """Settings to look at a result with, and what of it to send."""

    variables: Annotated[list[str], Field(max_length=50)] = []
    arrays: Form = "lists"


def kinds_of(variables: list[str]) -> list[Kind]:
    """The kinds of spectra to which variables of a result belong."""
    powder = any(name.startswith(("powder", "instrument", "code_powder")) for name in variables)
    crystal = any(name.startswith(("crystal", "code_crystal")) for name in variables)
    other = not all(name.startswith(("powder", "instrument", "crystal", "code_")) for name in variables)
    needed: dict[Kind, bool] = {"dos": other or not (powder or crystal), "powder": powder, "crystal": crystal}
    return [kind for kind, yes in needed.items() if yes]
