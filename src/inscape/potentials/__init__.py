"""Universal interatomic potentials, one file each, loaded at first use: engines for forces, and features of atoms."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inscape.potentials.abstract import Engine
    from inscape.potentials.named import engine, engine_names
    from inscape.potentials.sevennet import SevenNetFeatures, neighbours

__all__ = ["Engine", "SevenNetFeatures", "engine", "engine_names", "neighbours"]

_HOME = {"Engine": "abstract", "engine": "named", "engine_names": "named"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'sevennet')}"), name)
