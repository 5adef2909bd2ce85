"""Engines by name: those of this package, any calculator of ASE, and those that other packages plug in."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from importlib.metadata import entry_points

from inscape.errors import EngineError, InscapeError
from inscape.potentials.abstract import Engine

GROUP = "inscape.engines"
"""Entry-point group in which packages declare engines."""

OWN = {
    "sevennet-0": "inscape.potentials.sevennet_forces:SevenNet",
    "sevennet-l3i5": "inscape.potentials.sevennet_forces:SevenNet",
    "nequix-oam-1-pft": "inscape.potentials.nequix_forces:Nequix",
    "chgnet": "inscape.potentials.chgnet_forces:CHGNet",
}
"""Engines of this package, and where their classes are."""


def engine_names() -> list[str]:
    """Names that `engine` takes, those of installed packages included, sorted; any ``ase:...`` besides."""
    return sorted({*OWN, *(e.name for e in entry_points(group=GROUP))})


def installed_engines() -> list[str]:
    """Those of `engine_names` whose packages are installed."""
    found = []
    for name in engine_names():
        with suppress(InscapeError):
            if engine(name).version:
                found.append(name)
    return found


def engine(name: str) -> Engine:
    """An engine by name; its potential is not loaded yet.

    Parameters
    ----------
    name
        One of `engine_names`, in any case, or ``ase:package.module:factory`` for a calculator of ASE.

    Raises
    ------
    EngineError
        An unknown name, or an entry point that is no engine.
    """
    if name.startswith("ase:"):
        from inscape.potentials.ase_calculator import ASECalculator

        return ASECalculator(name)
    key = name.lower()
    plugged = {e.name.lower(): e for e in entry_points(group=GROUP)}
    if key in OWN:
        module, _, attribute = OWN[key].partition(":")
        made = getattr(import_module(module), attribute)(key)
    elif key in plugged:
        made = plugged[key].load()(key)
    else:
        raise EngineError(
            f"no engine is called {name!r}; there are {', '.join(engine_names())}, and ase:package.module:factory for "
            "any calculator of ASE"
        )
    if not isinstance(made, Engine):
        raise EngineError(f"{name} is {type(made).__name__}, no subclass of inscape.potentials.Engine")
    return made
