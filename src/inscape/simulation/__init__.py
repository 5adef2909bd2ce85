"""Structure → interatomic potential → force constants → exact spectra, and the same from calculations that exist."""

from inscape.simulation.simulate import Computed, force_constants_of, simulate
from inscape.simulation.spectra import missing_charges, spectra_of

__all__ = ["Computed", "force_constants_of", "missing_charges", "simulate", "spectra_of"]
