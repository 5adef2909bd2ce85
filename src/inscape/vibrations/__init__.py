"""Vibrational modes one by one: their table, bands with intensities, and files and frames that show how atoms move."""

from inscape.vibrations.bands import BandStructure, band_structure, parse_path
from inscape.vibrations.modes import Vibrations, check_mode, vibrations, wave_vector
from inscape.vibrations.table import mode_table
from inscape.vibrations.trajectory import displaced_cell, trajectory, write_trajectory
from inscape.vibrations.website import phonon_website, write_phonon_website

__all__ = [
    "BandStructure",
    "Vibrations",
    "band_structure",
    "check_mode",
    "displaced_cell",
    "mode_table",
    "parse_path",
    "phonon_website",
    "trajectory",
    "vibrations",
    "wave_vector",
    "write_phonon_website",
    "write_trajectory",
]
