"""What a user may add to what a file says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Options:
    """What was given to `inscape.read` besides the path; None stands for what the file says.

    Parameters
    ----------
    kind
        "powder map" or "density of states", where a file holds both.
    energy_unit
        Unit of energies, for a file without one.
    incident_energy
        E_i, meV, of direct geometry.
    temperature
        K.
    q_edges
        Bin edges of |Q| for spectra of detectors, 1/Å.
    """

    kind: str | None = None
    energy_unit: str | None = None
    incident_energy: float | None = None
    temperature: float | None = None
    q_edges: NDArray[np.floating] | None = None
