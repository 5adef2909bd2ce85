"""Force constants and phonon modes; the only place that uses phonopy, which is loaded at first use."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inscape.lattice.force_constants import ForceConstants, from_phonopy, read_force_constants
    from inscape.lattice.modes import Modes, modes_at, modes_on_mesh

__all__ = ["ForceConstants", "Modes", "from_phonopy", "modes_at", "modes_on_mesh", "read_force_constants"]

_IN_MODES = {"Modes", "modes_at", "modes_on_mesh"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{'modes' if name in _IN_MODES else 'force_constants'}"), name)
