"""Force constants and phonon modes; the only place that uses phonopy, which is loaded at first use."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inscape.lattice.born import charges_on
    from inscape.lattice.convergence import boundary_share
    from inscape.lattice.displacements import Displacements, check_repetitions, displace, repetitions_of_length
    from inscape.lattice.exchange import from_euphonic, spectrum_from_euphonic, spectrum_to_euphonic, to_euphonic
    from inscape.lattice.force_constants import ForceConstants, from_phonopy
    from inscape.lattice.modes import COARSE_MESH, Modes, mesh_spacing, modes_at, modes_on_mesh
    from inscape.lattice.pairs import from_pairs, reverse_pairs
    from inscape.lattice.reading import is_calculation, read_born_charges, read_force_constants
    from inscape.lattice.stability import Stabilised, stabilised
    from inscape.lattice.targets import DynamicsTargets
    from inscape.lattice.writing import write_phonopy

__all__ = [
    "COARSE_MESH",
    "Displacements",
    "DynamicsTargets",
    "ForceConstants",
    "Modes",
    "Stabilised",
    "boundary_share",
    "charges_on",
    "check_repetitions",
    "displace",
    "from_euphonic",
    "from_pairs",
    "from_phonopy",
    "is_calculation",
    "mesh_spacing",
    "modes_at",
    "modes_on_mesh",
    "read_born_charges",
    "read_force_constants",
    "repetitions_of_length",
    "reverse_pairs",
    "spectrum_from_euphonic",
    "spectrum_to_euphonic",
    "stabilised",
    "to_euphonic",
    "write_phonopy",
]

_HOME = {
    name: home
    for home, names in {
        "born": ("charges_on",),
        "convergence": ("boundary_share",),
        "displacements": ("Displacements", "check_repetitions", "displace", "repetitions_of_length"),
        "exchange": ("from_euphonic", "spectrum_from_euphonic", "spectrum_to_euphonic", "to_euphonic"),
        "modes": ("COARSE_MESH", "Modes", "mesh_spacing", "modes_at", "modes_on_mesh"),
        "pairs": ("from_pairs", "reverse_pairs"),
        "writing": ("write_phonopy",),
        "stability": ("Stabilised", "stabilised"),
        "targets": ("DynamicsTargets",),
        "reading": ("is_calculation", "read_born_charges", "read_force_constants"),
    }.items()
    for name in names
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'force_constants')}"), name)
