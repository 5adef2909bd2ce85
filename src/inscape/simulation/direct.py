"""Structure → force constants by the structure model, in one pass: no potential, no displaced supercells."""

from __future__ import annotations

from inscape.lattice import from_pairs
from inscape.results import Prediction, novelty_warning
from inscape.settings import SpectraSettings
from inscape.simulation.computed import Computed
from inscape.simulation.spectra import spectra_of
from inscape.structure_model import shipped_model
from inscape.structure_model.force_constants import shipped_force_constant_model
from inscape.structure_model.novelty import THRESHOLD
from inscape.structures import Crystal

DIRECT = "direct"
"""Name under which commands that take an engine take the model."""

ENGINE = "direct (force constants)"

UNSTABLE = (
    "a failure of the model rather than of the crystal, where this is known to be stable; take the road code, or "
    "inscape simulate with a potential"
)
"""What imaginary modes of predicted force constants mean."""


def predicted_force_constants(crystal: Crystal) -> Computed:
    """Force constants of a crystal by the structure model; isotopes change nothing but masses.

    Raises
    ------
    StructureError
        An element that the model does not know.
    """
    model = shipped_force_constant_model()
    usual = crystal.natural()
    (features,) = model.features([usual])
    found = model(usual, features)
    novelty = shipped_model().novelty_of([usual], [features])[0]
    words = novelty_warning(novelty, THRESHOLD)
    return Computed(
        from_pairs(crystal, found.pairs, found.ways, found.tensors, found.charges),
        ENGINE,
        (words,) if words else (),
        UNSTABLE,
        {
            "weights": "; ".join(f"{name} {digest}" for name, digest in model.digests.items()),
            "novelty": novelty,
            "novelty_threshold": THRESHOLD,
        },
    )


def direct_spectra(crystal: Crystal, settings: SpectraSettings) -> Prediction:
    """Spectra of predicted force constants."""
    return spectra_of(predicted_force_constants(crystal), settings)
