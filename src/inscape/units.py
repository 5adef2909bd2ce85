"""The package's units and constants, in one place.

Energy meV, wave vector 1/Å (with the 2π), temperature K, mass u, length Å, scattering length fm, cross section barn.
Values are CODATA 2018 (Tiesinga et al., Rev. Mod. Phys. 93, 025010, 2021).
"""

import numpy as np
from numpy.typing import NDArray

KB = 0.08617333262
"""Boltzmann constant, meV/K."""

HBAR2_2U = 2.0900795
"""ħ²/2u, meV Å²: recoil energy of one atomic mass unit at Q = 1 1/Å."""

HBAR2_2MN = 2.0721248
"""ħ²/2m of the neutron, meV Å²."""

THZ = 4.135667696
"""1 THz in meV."""

INVERSE_CM = 0.1239841984
"""1 cm⁻¹ in meV."""

MODE_ENERGY = 64.6541513
"""ħ √(1 eV Å⁻² u⁻¹), meV: energy of a mode whose dynamical matrix is 1 eV/Å²/u."""

GAS_CONSTANT = 8.314462618
"""Molar gas constant, J mol⁻¹ K⁻¹."""

FM2_PER_BARN = 100.0
"""1 barn in fm²."""


def signed_energies(square: NDArray[np.floating], unit: float = MODE_ENERGY) -> NDArray[np.floating]:
    """Energies of modes, meV, negative where imaginary, of eigenvalues of the dynamical matrix, eV/Å²/u.

    ``unit`` is the energy of an eigenvalue of 1.
    """
    return np.asarray(np.sign(square) * np.sqrt(np.abs(square)) * unit)


def bose(energy: NDArray[np.floating], temperature: float) -> NDArray[np.floating]:
    """Bose occupation n(E, T) = 1/(exp(E/k_B T) − 1), dimensionless; 0 at T = 0 for E > 0.

    Parameters
    ----------
    energy
        Energies, meV, none of them 0.
    temperature
        Temperature, K, 0 or more.
    """
    energy = np.asarray(energy, dtype=float)
    if temperature == 0.0:
        return np.where(energy > 0, 0.0, -1.0)
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / np.expm1(energy / (KB * temperature)))


def boltzmann(energy: NDArray[np.floating], temperature: float) -> NDArray[np.floating]:
    """Boltzmann factor exp(−E/k_B T), dimensionless, of energies above 0, meV; 0 at T = 0."""
    if temperature == 0.0:
        return np.zeros(np.shape(energy))
    return np.exp(-np.asarray(energy, dtype=float) / (KB * temperature))


def coth_half(energy: NDArray[np.floating], temperature: float) -> NDArray[np.floating]:
    """coth(E / 2 k_B T) = 2 n(E, T) + 1, dimensionless, for energies in meV and a temperature in K."""
    return 2.0 * bose(energy, temperature) + 1.0
