"""From phonon modes to neutron spectra: densities of states, powder maps, single-crystal maps."""

from inscape.scattering.coherent import reduced_intensities
from inscape.scattering.dos import ImaginaryModes, density_of_states, displacements, imaginary_modes
from inscape.scattering.incoherent import mean_square_displacements, self_part
from inscape.scattering.lengths import ScatteringLengths, scattering_lengths
from inscape.scattering.plane import PlaneGrid, check_plane, native_plane, plane_map
from inscape.scattering.powder import powder_map, powder_points
from inscape.scattering.temperature import check_temperature, to_scattering

__all__ = [
    "ImaginaryModes",
    "PlaneGrid",
    "ScatteringLengths",
    "check_plane",
    "check_temperature",
    "density_of_states",
    "displacements",
    "imaginary_modes",
    "mean_square_displacements",
    "native_plane",
    "plane_map",
    "powder_map",
    "powder_points",
    "reduced_intensities",
    "scattering_lengths",
    "self_part",
    "to_scattering",
]
