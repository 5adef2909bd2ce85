"""Force constants and phonon modes; the only place that uses phonopy."""

from inscape.lattice.force_constants import ForceConstants, read_force_constants
from inscape.lattice.modes import Modes, modes_at, modes_on_mesh

__all__ = ["ForceConstants", "Modes", "modes_at", "modes_on_mesh", "read_force_constants"]
