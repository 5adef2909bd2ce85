"""Force constants and phonon modes; the only place that uses phonopy, which is loaded at first use."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inscape.lattice.displacements import Displacements, check_repetitions, displace, repetitions_of_length
    from inscape.lattice.force_constants import ForceConstants, from_phonopy, is_calculation, read_force_constants
    from inscape.lattice.modes import Modes, mesh_spacing, modes_at, modes_on_mesh

__all__ = [
    "Displacements",
    "ForceConstants",
    "Modes",
    "check_repetitions",
    "displace",
    "from_phonopy",
    "is_calculation",
    "mesh_spacing",
    "modes_at",
    "modes_on_mesh",
    "read_force_constants",
    "repetitions_of_length",
]

_HOME = dict.fromkeys(("Modes", "mesh_spacing", "modes_at", "modes_on_mesh"), "modes") | dict.fromkeys(
    ("Displacements", "check_repetitions", "displace", "repetitions_of_length"), "displacements"
)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'force_constants')}"), name)
