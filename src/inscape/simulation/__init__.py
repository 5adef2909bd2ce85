"""Structure → interatomic potential → force constants → exact spectra, and the same from calculations that exist."""

from inscape.simulation.simulate import Computed, force_constants_of, simulate
from inscape.simulation.spectra import spectra_of

__all__ = ["Computed", "force_constants_of", "simulate", "spectra_of"]
