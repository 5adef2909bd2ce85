"""Structure → interatomic potential → force constants → exact spectra, and the same from calculations that exist."""

from inscape.simulation.computed import Computed
from inscape.simulation.direct import DIRECT, Predicted, predicted_force_constants
from inscape.simulation.simulate import force_constants_of, simulate
from inscape.simulation.spectra import missing_charges, spectra_of

__all__ = [
    "DIRECT", "Computed", "Predicted", "force_constants_of", "missing_charges", "predicted_force_constants",
    "simulate", "spectra_of",
]  # fmt: skip
