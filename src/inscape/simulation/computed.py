"""Force constants on their way through a simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inscape.lattice import ForceConstants
from inscape.structure_model.doubts import Doubts


@dataclass(frozen=True)
class Modelled:
    """What errors of a model's force constants are judged by.

    ``disagreement`` of its networks, meV, ``novelty`` of the crystal, and ``doubts``, what was learned of errors.
    """

    disagreement: float
    novelty: float
    doubts: Doubts


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
    model
        Where a model made them: what is known of its errors.
    """

    force_constants: ForceConstants
    engine: str
    warnings: tuple[str, ...] = ()
    unstable: str = "the crystal is unstable in these force constants"
    attributes: Mapping[str, Any] = field(default_factory=dict)
    model: Modelled | None = None
