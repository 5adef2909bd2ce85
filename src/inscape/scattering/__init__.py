"""From phonon modes to neutron spectra: densities of states, powder maps, single-crystal maps."""

from inscape.scattering.coherent import reduced_intensities
from inscape.scattering.dos import ImaginaryModes, density_of_states, displacements, imaginary_modes, neutron_weights
from inscape.scattering.incoherent import mean_square_displacements, self_part
from inscape.scattering.indirect import TOSCA, VISION, Bank, indirect_spectrum
from inscape.scattering.lengths import ScatteringLengths, Weights, scattering_lengths
from inscape.scattering.multiphonon import (
    PhononOrders,
    orders_needed,
    phonon_orders,
    phonon_orders_of_density_of_states,
)
from inscape.scattering.plane import PlaneGrid, check_plane, native_plane, plane_map
from inscape.scattering.powder import powder_map, powder_points
from inscape.scattering.spectrum import powder_spectrum
from inscape.scattering.temperature import absolute_edges, check_temperature, to_scattering, with_energy_gain

__all__ = [
    "TOSCA",
    "VISION",
    "Bank",
    "ImaginaryModes",
    "PhononOrders",
    "PlaneGrid",
    "ScatteringLengths",
    "Weights",
    "absolute_edges",
    "check_plane",
    "check_temperature",
    "density_of_states",
    "displacements",
    "imaginary_modes",
    "indirect_spectrum",
    "mean_square_displacements",
    "native_plane",
    "neutron_weights",
    "orders_needed",
    "phonon_orders",
    "phonon_orders_of_density_of_states",
    "plane_map",
    "powder_map",
    "powder_points",
    "powder_spectrum",
    "reduced_intensities",
    "scattering_lengths",
    "self_part",
    "to_scattering",
    "with_energy_gain",
]
