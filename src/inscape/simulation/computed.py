"""Force constants on their way through a simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inscape.lattice import ForceConstants
from inscape.structure_model.doubts import Doubts


@dataclass(frozen=True)
class Modelled:
    """What a model of force constants says besides.

    Errors are judged by the ``disagreement`` of its networks, meV, the ``novelty`` of the crystal, and ``doubts``, what
    was learned of errors. ``codes`` are those predicted from the structure, by kind of spectrum.
    """

    disagreement: float
    novelty: float
    doubts: Doubts
    codes: Mapping[str, NDArray[np.floating]]


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
