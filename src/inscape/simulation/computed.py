"""Force constants on their way through a simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inscape.lattice import ForceConstants


@dataclass(frozen=True, eq=False)
class Computed:
    """Force constants and where they come from.

    Parameters
    ----------
    force_constants
        Of the crystal.
    engine
        What made them.
    warnings
        Why they are not to be trusted.
    unstable
        What imaginary modes of them mean.
    attributes
        Further attributes of results: ``supercell``, ``relaxed``, ``born_source`` and such.
    """

    force_constants: ForceConstants
    engine: str
    warnings: tuple[str, ...] = ()
    unstable: str = "the crystal is unstable in these force constants"
    attributes: Mapping[str, Any] = field(default_factory=dict)
