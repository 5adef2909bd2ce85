"""Structure → force constants by the structure model, in one pass: no potential, no displaced supercells."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inscape.lattice import ForceConstants, from_pairs
from inscape.results import Prediction, novelty_warning, with_uncertainties
from inscape.settings import SpectraSettings
from inscape.simulation.computed import Computed
from inscape.simulation.spectra import spectra_of
from inscape.structure_model import shipped_model
from inscape.structure_model.force_constants import PairForceConstants, shipped_force_constant_model
from inscape.structure_model.novelty import THRESHOLD
from inscape.structures import Crystal

Array = NDArray[np.floating]

DIRECT = "direct"
"""Name under which commands that take an engine take the model."""

ENGINE = "direct (force constants)"

UNSTABLE = (
    "a failure of the model rather than of the crystal, where this is known to be stable; take the road code, or "
    "inscape simulate with a potential"
)
"""What imaginary modes of predicted force constants mean."""

MAPS = ("powder", "crystal")
"""Kinds whose uncertainty follows from the ensemble."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """What the networks say of a crystal: its force constants, those of each network, and its ``novelty``."""

    crystal: Crystal
    found: PairForceConstants
    novelty: float

    @classmethod
    def of(cls, crystal: Crystal) -> Predicted:
        """Predict a crystal; isotopes change nothing but masses.

        Raises
        ------
        StructureError
            An element that the model does not know.
        """
        usual = crystal.natural()
        model = shipped_force_constant_model()
        (features,) = model.features([usual])
        return cls(crystal, model(usual, features), shipped_model().novelty_of([usual], [features])[0])

    def mean(self) -> ForceConstants:
        """Force constants, mean over the networks."""
        return self._folded(self.found.tensors)

    def members(self) -> list[ForceConstants]:
        """Force constants of each network."""
        return [self._folded(tensors) for tensors in self.found.members]

    def _folded(self, tensors: Array) -> ForceConstants:
        return from_pairs(self.crystal, self.found.pairs, self.found.ways, tensors, self.found.charges)

    def computed(self, force_constants: ForceConstants) -> Computed:
        """Force constants with what is to be said of them."""
        words = novelty_warning(self.novelty, THRESHOLD)
        digests = shipped_force_constant_model().digests
        return Computed(
            force_constants,
            ENGINE,
            (words,) if words else (),
            UNSTABLE,
            {
                "weights": "; ".join(f"{name} {digest}" for name, digest in digests.items()),
                "novelty": self.novelty,
                "novelty_threshold": THRESHOLD,
                "disagreement_meV": self.found.disagreement,
            },
        )


def predicted_force_constants(crystal: Crystal) -> Computed:
    """Force constants of a crystal by the structure model; isotopes change nothing but masses.

    Raises
    ------
    StructureError
        An element that the model does not know.
    """
    predicted = Predicted.of(crystal)
    return predicted.computed(predicted.mean())


def direct_spectra(crystal: Crystal, settings: SpectraSettings, *, uncertainty: bool = False) -> Prediction:
    """Spectra of predicted force constants.

    Parameters
    ----------
    uncertainty
        Give standard errors of maps: those of each network are rendered as well, which takes as long for each.
    """
    predicted = Predicted.of(crystal)
    found = spectra_of(predicted.computed(predicted.mean()), settings)
    return with_uncertainties(found, map_errors(predicted, found, settings)) if uncertainty else found


def map_errors(predicted: Predicted, found: Prediction, settings: SpectraSettings) -> dict[str, Array]:
    """Standard deviation over the networks of each map in ``found``, barn sr⁻¹ meV⁻¹ per atom."""
    kinds = [kind for kind in settings.kinds if kind in MAPS]
    if not kinds:
        return {}
    top = float(found.dataset["energy_edges"].values[-1])
    alike = replace(settings, kinds=kinds, emax=top, instrument=None, ei=None, ef=None, multiphonon=False)
    maps = [spectra_of(predicted.computed(one), alike).dataset for one in predicted.members()]
    return {kind: np.std([one[kind].values for one in maps], axis=0, ddof=1) for kind in kinds}
