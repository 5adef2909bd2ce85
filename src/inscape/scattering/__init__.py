"""From phonon modes to neutron spectra: densities of states, powder maps, single crystals, and what instruments see."""

from inscape.scattering.coherent import reduced_intensities
from inscape.scattering.dos import ImaginaryModes, density_of_states, displacements, imaginary_modes, neutron_weights
from inscape.scattering.grids import ReciprocalGrid, grid_map
from inscape.scattering.incoherent import mean_square_displacements, self_part
from inscape.scattering.indirect import TOSCA, VISION, Bank, indirect_spectrum
from inscape.scattering.instruments import AllAngles, Instrument, Setting
from inscape.scattering.kinematics import final_energy, incident_energy, is_reached, momentum_transfer, q_limits
from inscape.scattering.lengths import ScatteringLengths, Weights, scattering_lengths
from inscape.scattering.multiphonon import (
    PhononOrders,
    orders_needed,
    phonon_orders,
    phonon_orders_of_density_of_states,
)
from inscape.scattering.observation import Observation
from inscape.scattering.path import PathSpectra, QPath, path_spectra, q_path, special_path, special_points
from inscape.scattering.plane import PlaneGrid, check_plane, native_plane, plane_map
from inscape.scattering.powder import PowderMap, Shells, powder_average, powder_map, powder_points
from inscape.scattering.resolution import broaden, broadening_matrix
from inscape.scattering.spectrometers import (
    chosen_instrument,
    instrument,
    instrument_facts,
    instrument_names,
)
from inscape.scattering.spectrum import powder_spectrum
from inscape.scattering.temperature import absolute_edges, check_temperature, to_scattering, with_energy_gain
from inscape.scattering.wave_vectors import spectra_at

__all__ = [
    "TOSCA",
    "VISION",
    "AllAngles",
    "Bank",
    "ImaginaryModes",
    "Instrument",
    "Observation",
    "PathSpectra",
    "PhononOrders",
    "PlaneGrid",
    "PowderMap",
    "QPath",
    "ReciprocalGrid",
    "ScatteringLengths",
    "Setting",
    "Shells",
    "Weights",
    "absolute_edges",
    "broaden",
    "broadening_matrix",
    "check_plane",
    "check_temperature",
    "chosen_instrument",
    "density_of_states",
    "displacements",
    "final_energy",
    "grid_map",
    "imaginary_modes",
    "incident_energy",
    "indirect_spectrum",
    "instrument",
    "instrument_facts",
    "instrument_names",
    "is_reached",
    "mean_square_displacements",
    "momentum_transfer",
    "native_plane",
    "neutron_weights",
    "orders_needed",
    "path_spectra",
    "phonon_orders",
    "phonon_orders_of_density_of_states",
    "plane_map",
    "powder_average",
    "powder_map",
    "powder_points",
    "powder_spectrum",
    "q_limits",
    "q_path",
    "reduced_intensities",
    "scattering_lengths",
    "self_part",
    "special_path",
    "special_points",
    "spectra_at",
    "to_scattering",
    "with_energy_gain",
]
