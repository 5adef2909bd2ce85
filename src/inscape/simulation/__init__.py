"""Structure → interatomic potential → force constants → exact spectra, and the same from calculations that exist."""

from inscape.simulation.simulate import simulate
from inscape.simulation.spectra import spectra_of

__all__ = ["simulate", "spectra_of"]
