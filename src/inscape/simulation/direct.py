"""Structure → force constants by the structure model, in one pass: no potential, no displaced supercells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import cast

import numpy as np
from numpy.typing import NDArray

from inscape.lattice import Stabilised, from_pairs, stabilised
from inscape.potentials import AtomFeatures
from inscape.results import Prediction, novelty_warning, with_uncertainties
from inscape.settings import SpectraSettings
from inscape.simulation.computed import Computed, Modelled
from inscape.simulation.spectra import MAPS, WORST_IMAGINARY, spectra_of
from inscape.structure_model import Structure, StructureModel, shipped_model
from inscape.structure_model.agreement import agreed
from inscape.structure_model.force_constants import (
    ForceConstantModel,
    PairForceConstants,
    shipped_force_constant_model,
)
from inscape.structure_model.novelty import THRESHOLD
from inscape.structures import Crystal
from inscape.threads import side_by_side

Array = NDArray[np.floating]

DIRECT = "direct"
"""Name under which commands that take an engine take the model."""

ENGINE = "direct (force constants)"

UNSTABLE = (
    "a failure of the model rather than of the crystal, where this is known to be stable; where it is not, inscape "
    "simulate with a potential says more"
)
"""What imaginary modes of predicted force constants mean."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """What the networks say of a crystal: its force constants, those of each network, and ``density`` of states."""

    crystal: Crystal
    found: PairForceConstants
    density: Structure

    @classmethod
    def of(cls, crystal: Crystal, features: AtomFeatures | None = None, kinds: Sequence[str] = ("dos",)) -> Predicted:
        """Predict a crystal; isotopes change nothing but masses.

        Parameters
        ----------
        features
            Of its atoms, where they are known already.
        kinds
            Codes that ``density`` is to have besides.

        Raises
        ------
        StructureError
            An element that the model does not know.
        """
        usual = crystal.natural()
        model = shipped_force_constant_model()
        known = features or model.features([usual])[0]
        return cls(crystal, *foretold(usual, known, model, shipped_model(), kinds))

    @property
    def novelty(self) -> float:
        """Of the crystal; above 1 foreign."""
        return self.density.novelty

    @cached_property
    def best(self) -> Computed:
        """Force constants of the best network, the first."""
        return self._computed(self.found.tensors)

    def _computed(self, tensors: Array) -> Computed:
        """Force constants with what is to be said of them."""
        made = folded(self.crystal, self.found, tensors, self.density.partial_dos)
        words = [novelty_warning(self.novelty, THRESHOLD)]
        if made.share > WORST_IMAGINARY:
            words.append(
                f"{made.share:.1%} of the modes at the wave vectors of the supercell came out imaginary, down to "
                f"{made.lowest:.1f} meV, and were made real: {UNSTABLE}"
            )
        model = shipped_force_constant_model()
        return Computed(
            made.force_constants,
            ENGINE,
            tuple(word for word in words if word),
            UNSTABLE,
            {
                "weights": "; ".join(f"{name} {digest}" for name, digest in model.digests.items()),
                "novelty": self.novelty,
                "novelty_threshold": THRESHOLD,
                "stabilised_share": made.share,
                "stabilised_lowest_meV": made.lowest,
            },
            Modelled(self.found.disagreement, self.novelty, model.doubts, self.density.codes),
        )

    @property
    def disagreement(self) -> float:
        """Of the networks, meV."""
        return self.found.disagreement

    @property
    def mean_energy(self) -> float:
        """Of the modes, meV, as far as two wave vectors tell."""
        return self.found.mean_energy

    def expected_error(self, kinds: Sequence[str]) -> dict[str, float]:
        """Typical errors, as of `inscape.structure_model.doubts.Doubts.expected_error`."""
        return shipped_force_constant_model().doubts.expected_error(self, kinds)

    def spectra(self, settings: SpectraSettings, *, uncertainty: bool = False) -> Prediction:
        """Spectra of the force constants of the best network.

        Parameters
        ----------
        uncertainty
            Give standard errors of maps: those of the other networks are rendered, too, which takes as long for each.
        """
        found = spectra_of(self.best, settings)
        return with_uncertainties(found, self._map_errors(found, settings)) if uncertainty else found

    def _map_errors(self, found: Prediction, settings: SpectraSettings) -> dict[str, Array]:
        """Standard errors of each map in ``found``, barn sr⁻¹ meV⁻¹ per atom.

        They are the standard deviation over the networks, times how much larger errors of tuning crystals were.
        """
        kinds = [kind for kind in settings.kinds if kind in MAPS]
        if not kinds or len(self.found.members) < 2:
            return {}
        top, scale = float(found.dataset["energy_edges"].values[-1]), shipped_force_constant_model().doubts.maps
        alike = replace(settings, kinds=kinds, emax=top, instrument=None, ei=None, ef=None, multiphonon=False)
        seen = settings.observation
        as_found = seen.instrument is None and not seen.has_many  # the maps of the first network are there
        maps = [found.dataset] if as_found else [spectra_of(self.best, alike).dataset]
        maps += [spectra_of(self._computed(tensors), alike).dataset for tensors in self.found.members[1:]]
        spread = {kind: np.std([one[kind].values for one in maps], axis=0, ddof=1) for kind in kinds}
        return {kind: scale.get(kind, 1.0) * values for kind, values in spread.items()}


def foretold(
    crystal: Crystal,
    features: AtomFeatures,
    model: ForceConstantModel,
    other: StructureModel,
    kinds: Sequence[str] = ("dos",),
    polar: bool | None = None,
) -> tuple[PairForceConstants, Structure]:
    """Force constants by one model, density of states and codes by the other; arguments as of these."""
    calls = partial(model, crystal, features, polar), partial(other, [crystal], kinds, features=[features])
    found, (density,) = cast(tuple[PairForceConstants, list[Structure]], side_by_side(calls))
    return found, density


def folded(crystal: Crystal, found: PairForceConstants, tensors: Array, partial_dos: Array | None = None) -> Stabilised:
    """Force constants in a supercell, made stable, with energies moved towards a predicted density of states.

    Parameters
    ----------
    tensors
        Of the pairs in ``found``, shape (n_pairs, 3, 3), eV/Å².
    partial_dos
        As of `inscape.structure_model.agreement.agreed`; energies stay unless given.
    """
    whole = from_pairs(crystal, found.pairs, found.ways, tensors, found.charges)
    return stabilised(whole, None if partial_dos is None else partial(agreed, partial_dos=partial_dos))


def predicted_force_constants(crystal: Crystal) -> Computed:
    """Force constants of a crystal by the structure model; isotopes change nothing but masses.

    Raises
    ------
    StructureError
        An element that the model does not know.
    """
    return Predicted.of(crystal).best
