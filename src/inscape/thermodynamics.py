"""What follows from a density of states at a temperature: heat capacity, entropy, energies, Debye temperature.

All are harmonic, at constant volume, and per mole of atoms: the area of the density of states stands for 3 N modes, so
that a density of states of one atom, of a cell or of any other area gives the same answer. Formulas are those of Dove,
Introduction to Lattice Dynamics, 1993, section 5.2, with y = E/k_BT.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator

from inscape.errors import GridError
from inscape.spectra import inside_bins
from inscape.units import GAS_CONSTANT, KB

Array = NDArray[np.floating]

FROZEN = 700.0
"""E/k_BT above which a mode is as good as at 0 K; exp of more overflows."""

DEBYE_RANGE = (0.01, 0.99)
"""Share of 3R between which a heat capacity tells its Debye temperature. Below, it hangs on the lowest bins of the
density of states; above, all solids are alike."""


def heat_capacity(dos: Array, edges: Array, temperatures: ArrayLike) -> Array:
    """Heat capacity C_V = k_B ∫ g (x/sinh x)² dE with x = E/2k_BT.

    Parameters
    ----------
    dos
        Density of states, shape (n_energy,), 1/meV.
    edges
        Energy bin edges, shape (n_energy + 1,), meV, from 0 on.
    temperatures
        Temperatures, any shape, K, 0 or more.

    Returns
    -------
    Array
        Shape of ``temperatures``, J mol⁻¹ K⁻¹ per mole of atoms; 3 R where k_BT is far above all energies.

    Raises
    ------
    GridError
        Bins that do not fit the density of states, or a negative temperature.
    """

    def kernel(energy: Array, reduced: Array) -> Array:
        less = np.expm1(-reduced)
        return np.asarray((reduced / less) ** 2 * (1 + less))

    return GAS_CONSTANT * _per_atom(kernel, dos, edges, temperatures)


def entropy(dos: Array, edges: Array, temperatures: ArrayLike) -> Array:
    """Entropy S = k_B ∫ g [y/(exp y − 1) − ln(1 − exp(−y))] dE, J mol⁻¹ K⁻¹; arguments as for `heat_capacity`."""
    return GAS_CONSTANT * _per_atom(lambda e, y: y / np.expm1(y) - np.log(-np.expm1(-y)), dos, edges, temperatures)


def internal_energy(dos: Array, edges: Array, temperatures: ArrayLike) -> Array:
    """Internal energy U = ∫ g E [½ + 1/(exp y − 1)] dE, zero-point energy included, J mol⁻¹."""
    return GAS_CONSTANT / KB * _per_atom(lambda e, y: e * (0.5 + 1 / np.expm1(y)), dos, edges, temperatures)


def free_energy(dos: Array, edges: Array, temperatures: ArrayLike) -> Array:
    """Helmholtz free energy F = U − T S of the phonons, zero-point energy included, J mol⁻¹."""
    return internal_energy(dos, edges, temperatures) - np.asarray(temperatures) * entropy(dos, edges, temperatures)


def debye_temperature(heat_capacities: ArrayLike, temperatures: ArrayLike) -> Array:
    """Debye temperature θ(T) of the Debye solid that has this heat capacity at this temperature.

    Parameters
    ----------
    heat_capacities
        C_V, any shape, J mol⁻¹ K⁻¹ per mole of atoms.
    temperatures
        Temperatures, of the same shape, K.

    Returns
    -------
    Array
        Of that shape, K; NaN where C_V is outside of `DEBYE_RANGE`. Of a Debye solid it is one number at all
        temperatures.

    References
    ----------
    C. Kittel, Introduction to Solid State Physics, 8th ed. (2005), chapter 5: C_V = 9 R x⁻³ ∫₀ˣ y⁴ eʸ/(eʸ − 1)² dy,
    x = θ/T, per mole of atoms.
    """
    share = np.asarray(heat_capacities, dtype=float) / (3 * GAS_CONSTANT)
    x = np.geomspace(0.1, 50.0, 1000)
    nodes, weights = np.polynomial.legendre.leggauss(64)
    y = x[:, None] * (nodes + 1) / 2
    of_debye = 1.5 / x**2 * np.sum(weights * y**4 * np.exp(-y) / np.expm1(-y) ** 2, axis=1)
    ratio = np.exp(PchipInterpolator(of_debye[::-1], np.log(x[::-1]))(np.clip(share, *DEBYE_RANGE)))
    meaningful = (share >= DEBYE_RANGE[0]) & (share <= DEBYE_RANGE[1])
    return np.where(meaningful, ratio * np.asarray(temperatures, dtype=float), np.nan)


def _per_atom(kernel: Callable[[Array, Array], Array], dos: Array, edges: Array, temperatures: ArrayLike) -> Array:
    """3 ∫ g(E) kernel(E, E/k_BT) dE / ∫ g(E) dE, of the shape of the temperatures."""
    dos, edges, kelvin = np.asarray(dos, float), np.asarray(edges, float), np.asarray(temperatures, float)
    if dos.ndim != 1 or edges.shape != (len(dos) + 1,) or edges[0] < 0:
        raise GridError(
            f"density of states has shape {dos.shape} and its bin edges {edges.shape}, from {edges.flat[0]} meV: "
            "give one more edge than values, none below 0"
        )
    if not np.all(np.isfinite(kelvin) & (kelvin >= 0)):
        raise GridError(f"temperatures are {kelvin} K; expected 0 K or more")
    energy, weights = inside_bins(edges)
    reduced = np.minimum(energy / (KB * np.maximum(kelvin, 1e-9))[..., None, None], FROZEN)
    shares = dos[:, None] * weights
    return np.asarray(3 * np.sum(kernel(energy, reduced) * shares, axis=(-2, -1)) / np.sum(shares))
