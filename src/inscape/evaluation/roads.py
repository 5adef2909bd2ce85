"""The roads of `inscape.predict` to the spectra of a library crystal, as `inscape.evaluation.records` compares them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from inscape.errors import DataError
from inscape.evaluation.records import Truth, plane_of, powder_of
from inscape.evaluation.rendered import Foretold
from inscape.prediction import error_size
from inscape.results import BY_CODES, KINDS
from inscape.simulation.direct import ENGINE
from inscape.structure_model import Structure, StructureModel, shipped_model
from inscape.structure_model.doubts import Doubts, Judged
from inscape.structure_model.force_constants import ForceConstantModel, shipped_force_constant_model

Array = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a road says of a library crystal.

    ``engine`` as in files; ``structure`` with the density of states; ``doubts``, what is known of its errors; reduced
    maps as records take them, ``powder`` and ``plane``; ``foretold`` where they are those of force constants.
    """

    engine: str
    structure: Judged
    doubts: Doubts
    powder: Array
    plane: Array
    foretold: Foretold | None = None

    @classmethod
    def by_codes(cls, truth: Truth, structure: Structure, model: StructureModel) -> Outcome:
        """What a model of codes says."""
        return cls(BY_CODES, structure, model.doubts, powder_of(truth, structure), plane_of(truth, structure))

    @classmethod
    def by_force_constants(cls, foretold: Foretold, model: ForceConstantModel) -> Outcome:
        """What a model of force constants says."""
        spectra = foretold.spectra
        return cls(ENGINE, foretold, model.doubts, spectra.powder, spectra.plane, foretold)

    @cached_property
    def members(self) -> Sequence[tuple[Array, Array]]:
        """Powder and plane of each network, where there are several."""
        return [] if self.foretold is None else [(one.powder, one.plane) for one in self.foretold.members()]

    @property
    def expected_size(self) -> float:
        """Of its errors, by which the road is chosen."""
        return error_size(self.doubts.expected_error(self.structure, tuple(KINDS)))


Road = Callable[[Truth], Outcome]
"""How one is predicted; roads are made of a model of densities of states and codes, the shipped one unless given."""


def by_codes(model: StructureModel | None = None) -> Road:
    """The road of codes."""
    known = model or shipped_model()

    def predict(truth: Truth) -> Outcome:
        (structure,) = known([truth.crystal])
        return Outcome.by_codes(truth, structure, known)

    return predict


def by_force_constants(model: StructureModel | None = None) -> Road:
    """The road of force constants."""
    known, sharp = model or shipped_model(), shipped_force_constant_model()
    return lambda truth: Outcome.by_force_constants(Foretold.of(truth, sharp, known), sharp)


def by_the_better(model: StructureModel | None = None) -> Road:
    """The one of the two whose expected errors are smaller."""
    known, sharp = model or shipped_model(), shipped_force_constant_model()

    def predict(truth: Truth) -> Outcome:
        foretold = Foretold.of(truth, sharp, known, tuple(KINDS))
        both = Outcome.by_force_constants(foretold, sharp), Outcome.by_codes(truth, foretold.density, known)
        return min(both, key=lambda outcome: outcome.expected_size)

    return predict


def road_of(name: str, model: StructureModel | None = None) -> Road:
    """The road of that name.

    Raises
    ------
    DataError
        There is none of that name.
    """
    made = {"auto": by_the_better, "force-constants": by_force_constants, "code": by_codes}
    if name not in made:
        raise DataError(f"road is {name!r}; expected one of {', '.join(made)}")
    return made[name](model)
