"""Universal interatomic potentials, one file each, loaded at first use: engines for forces, and features of atoms."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inscape.potentials.abstract import Engine
    from inscape.potentials.features import N_FEATURES, AtomFeatures, NequixFeatures
    from inscape.potentials.named import engine, engine_names
    from inscape.potentials.neighbour_list import neighbours

__all__ = ["N_FEATURES", "AtomFeatures", "Engine", "NequixFeatures", "engine", "engine_names", "neighbours"]

_HOME = {
    "AtomFeatures": "features",
    "Engine": "abstract",
    "N_FEATURES": "features",
    "NequixFeatures": "features",
    "engine": "named",
    "engine_names": "named",
    "neighbours": "neighbour_list",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
