"""Neutron spectra from a crystal structure: one, two and three dimensions, in a fraction of a second.

Everything in ``__all__`` is loaded when it is first used, so that ``import inscape`` takes no time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inscape.autoencoders import PCA as PCA
    from inscape.autoencoders import Autoencoder as Autoencoder
    from inscape.errors import InscapeError as InscapeError
    from inscape.lattice.force_constants import ForceConstants as ForceConstants
    from inscape.lattice.modes import Modes as Modes
    from inscape.lattice.modes import modes_at as modes_at
    from inscape.lattice.modes import modes_on_mesh as modes_on_mesh
    from inscape.lattice.reading import read_force_constants as read_force_constants
    from inscape.library.build import build_library as build_library
    from inscape.library.store import Library as Library
    from inscape.measured.cleaning import denoise as denoise
    from inscape.measured.reading import read as read
    from inscape.measured.writing import write as write
    from inscape.prediction import predict as predict
    from inscape.prediction import predict_many as predict_many
    from inscape.results import Prediction as Prediction
    from inscape.retrieval.search import search as search
    from inscape.scattering.dos import density_of_states as density_of_states
    from inscape.scattering.plane import plane_map as plane_map
    from inscape.scattering.powder import powder_map as powder_map
    from inscape.simulation.simulate import simulate as simulate
    from inscape.structures import Crystal as Crystal
    from inscape.structures import read_structure as read_structure
    from inscape.structures import read_structures as read_structures
    from inscape.thermodynamics import heat_capacity as heat_capacity

__version__: str
"""Version of the installed package."""

_HOME = {
    "Autoencoder": "inscape.autoencoders",
    "Crystal": "inscape.structures",
    "ForceConstants": "inscape.lattice.force_constants",
    "InscapeError": "inscape.errors",
    "Library": "inscape.library.store",
    "Modes": "inscape.lattice.modes",
    "PCA": "inscape.autoencoders",
    "Prediction": "inscape.results",
    "build_library": "inscape.library.build",
    "density_of_states": "inscape.scattering.dos",
    "denoise": "inscape.measured.cleaning",
    "heat_capacity": "inscape.thermodynamics",
    "modes_at": "inscape.lattice.modes",
    "modes_on_mesh": "inscape.lattice.modes",
    "plane_map": "inscape.scattering.plane",
    "powder_map": "inscape.scattering.powder",
    "predict": "inscape.prediction",
    "predict_many": "inscape.prediction",
    "read": "inscape.measured.reading",
    "read_force_constants": "inscape.lattice.reading",
    "read_structure": "inscape.structures",
    "read_structures": "inscape.structures",
    "search": "inscape.retrieval.search",
    "simulate": "inscape.simulation.simulate",
    "write": "inscape.measured.writing",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value = _installed_version()
    elif name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module 'inscape' has no attribute {name!r}; it has {', '.join(__all__)}")
    globals()[name] = value
    return value


def _installed_version() -> str:
    metadata = import_module("importlib.metadata")
    try:
        return str(metadata.version("inscape"))
    except metadata.PackageNotFoundError:  # used from its source folder
        return "unknown"


def __dir__() -> list[str]:
    return __all__
