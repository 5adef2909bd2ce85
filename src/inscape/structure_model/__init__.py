"""From structure to codes and densities of states: features, networks, training, and the shipped model.

Training, which needs libraries of spectra and with them lattice dynamics, is loaded at first use.
"""

from typing import TYPE_CHECKING, Any

from inscape.structure_model.model import Structure, StructureModel, shipped_model

if TYPE_CHECKING:
    from inscape.structure_model.train import train_autoencoder, train_structure

__all__ = ["Structure", "StructureModel", "shipped_model", "train_autoencoder", "train_structure"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.train"), name)
