"""Scattering by any number of phonons, each atom for itself: the incoherent approximation.

Order n of atom d is, along each direction of Q,

    S_n(Q,E) = β_d e^{−2W} (2W)ⁿ/n! · T_n(E),    T_n = T_1 ∗ T_1 ∗ … (n times),    T_1 = U/∫U,    2W = Q² ∫U,

where U is the spectrum of the atom's motion (`inscape.scattering.motion`) and β_d a cross section over 4π. A powder is
the mean over directions. The T_n do not depend on |Q|, so that a map over |Q| and energy is a product of matrices. What
is given is S for energy loss, E > 0; that for gain follows, S(−E) = exp(−E/k_BT) S(E).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.special import gammainc

from inscape.errors import GridError
from inscape.scattering.motion import Motion, motion_of_density_of_states, motion_of_modes
from inscape.scattering.temperature import check_temperature
from inscape.spectra import check_edges, rebin

if TYPE_CHECKING:
    from inscape.lattice import Modes

Array = NDArray[np.floating]

MOST_ORDERS = 300
"""Where more phonons than these matter, the expansion in their number is refused."""

FINEST_STEP = 2000
"""The grid of convolutions has at most this many steps up to the highest mode."""

BLOCK_BYTES = 64_000_000
"""Convolutions are done for so many rows at a time that their spectra stay below this size."""


def orders_needed(two_w: float, tolerance: float) -> int:
    """Number of phonons up to which scattering is complete.

    Parameters
    ----------
    two_w
        2W of the atom that moves most, at the largest |Q|.
    tolerance
        Share of the recoil sum rule, ∫E S dE, that the orders left out may hold.

    Returns
    -------
    int
        The least n, 1 or more, for which Σ_{m>n} m p_m ≤ tolerance Σ_m m p_m, with p_m = e^{−2W} (2W)^m/m!.
    """
    if not 0 < tolerance < 1:
        raise GridError(f"tolerance is {tolerance}; expected a share between 0 and 1")
    orders = np.arange(1, MOST_ORDERS + 1)
    enough = gammainc(orders, two_w) <= tolerance  # the probability of n or more events where 2W are expected
    if not enough.any():
        raise GridError(
            f"2W is {two_w:.3g} at the largest |Q|, where more than {MOST_ORDERS} phonons matter: choose a smaller "
            "|Q| or a lower temperature"
        )
    return int(orders[enough.argmax()])


def check_order(order: int) -> int:
    """The highest number of phonons as an int; `GridError` unless it is a whole number from 1 to `MOST_ORDERS`."""
    if not isinstance(order, int | np.integer) or isinstance(order, bool) or not 1 <= order <= MOST_ORDERS:
        raise GridError(f"order is {order}; expected the number of phonons, a whole number from 1 to {MOST_ORDERS}")
    return int(order)


@dataclass(frozen=True, eq=False)
class PhononOrders:
    """What scattering by one, two, … phonons is made of, without |Q| and cross sections.

    Parameters
    ----------
    temperature
        K.
    energy_edges
        Bin edges of energy loss, shape (n_energy + 1,), meV, none below 0.
    motion
        Motion of the atoms.
    kernels
        T_n, mean over each bin, shape (n_orders, n_rows, n_energy), 1/meV: order 1 first. With gain, each has area 1.
    """

    temperature: float
    energy_edges: Array
    motion: Motion
    kernels: Array

    def up_to(self, order: int) -> PhononOrders:
        """The same motion, and scattering by up to ``order`` phonons."""
        return replace(self, kernels=_kernels(self.motion, self.energy_edges, check_order(order)))

    def on_grid(self, q: ArrayLike, lengths_square: Array) -> Array:
        """S of each order at every |Q| and energy.

        Parameters
        ----------
        q
            |Q|, shape (n_q,), 1/Å.
        lengths_square
            β of each atom, shape (n_atoms,), barn sr⁻¹: `ScatteringLengths.square`.

        Returns
        -------
        Array
            Shape (n_orders, n_q, n_energy), barn sr⁻¹ meV⁻¹ per atom, for energy loss. With all orders, energy gain
            and `elastic`, ∫ S dE = β and ∫ E S dE = β ħ²Q²/2M of each atom; one phonon alone has e^{−2W} times the
            latter.
        """
        weights = self._weights(q, lengths_square)[1:]
        return np.stack([weight @ kernel for weight, kernel in zip(weights, self.kernels, strict=True)])

    def along(self, q: ArrayLike, lengths_square: Array) -> Array:
        """S of each order along a trajectory, shape (n_orders, n_energy), barn sr⁻¹ meV⁻¹ per atom, for energy loss.

        Parameters
        ----------
        q
            |Q| at each energy bin, shape (n_energy,), 1/Å.
        lengths_square
            As for `on_grid`.
        """
        return np.asarray(np.einsum("ner,nre->ne", self._weights(q, lengths_square)[1:], self.kernels))

    def elastic(self, q: ArrayLike, lengths_square: Array) -> Array:
        """Order 0: the area of the elastic line at each |Q|, Σ β e^{−2W}, shape (n_q,), barn sr⁻¹ per atom."""
        return np.asarray(self._weights(q, lengths_square)[0].sum(axis=1))

    def _weights(self, q: ArrayLike, lengths_square: Array) -> Array:
        """β e^{−2W} (2W)ⁿ/n! of orders 0, 1, 2 …, each |Q| and row, shape (n_orders + 1, n_q, n_rows)."""
        motion = self.motion
        per_site = np.bincount(motion.sites, lengths_square) / len(motion.sites)
        two_w = np.asarray(q, dtype=float)[:, None] ** 2 * motion.square_displacements
        weights = [per_site[motion.row_site] * motion.row_weight * np.exp(-two_w)]
        for order in range(1, len(self.kernels) + 1):
            weights.append(weights[-1] * two_w / order)
        return np.stack(weights)


def phonon_orders(
    modes: Modes,
    energy_edges: ArrayLike,
    temperature: float,
    *,
    order: int,
    isotropic: bool = False,
    step: float | None = None,
) -> PhononOrders:
    """Scattering by up to ``order`` phonons in the incoherent approximation, from modes on a mesh.

    The mean over directions of Q is taken numerically, by Lebedev's rule, of the whole expression, Debye–Waller factor
    included.

    Parameters
    ----------
    modes
        Modes on a mesh; one set serves every temperature.
    energy_edges
        Bin edges of energy loss, shape (n_energy + 1,), meV, increasing, none below 0.
    temperature
        K.
    order
        Highest number of phonons; `orders_needed` tells how many matter.
    isotropic
        Let each atom move alike in all directions, with its mean displacement: 2W = Q²⟨u²⟩/3.
    step
        Step of the grid on which orders from 2 on are convoluted, meV: that of the narrowest bin, or what the highest
        mode needs (`FINEST_STEP`), unless given.

    Raises
    ------
    GridError
        Edges that do not increase, an impossible temperature, an order below 1.

    References
    ----------
    Mantid documentation, concepts, "Ab initio calculation of dynamical structure factor": there the orders follow from
    one another by convolution as here, with Q isotropic from order 3 on.
    """
    edges, kelvin = _check_positive(energy_edges), check_temperature(temperature)
    step = _checked_step(step, edges, float(modes.energies.max()))
    motion = motion_of_modes(modes, edges, kelvin, step=step, isotropic=isotropic)
    return PhononOrders(kelvin, edges, motion, _kernels(motion, edges, check_order(order)))


def phonon_orders_of_density_of_states(
    partial_dos: Array,
    edges: ArrayLike,
    masses: Array,
    energy_edges: ArrayLike,
    temperature: float,
    *,
    order: int,
    step: float | None = None,
) -> PhononOrders:
    """Scattering by up to ``order`` phonons from the density of states of each atom, in the isotropic approximation.

    Parameters
    ----------
    partial_dos
        Shape (n_atoms, n), 1/meV, each of area 3, on bins ``edges`` (n + 1,), meV; below 3 meV it is taken as ∝ E².
    masses
        Shape (n_atoms,), u.
    energy_edges, temperature, order, step
        As for `phonon_orders`.
    """
    own, bins, kelvin = _check_positive(edges), _check_positive(energy_edges), check_temperature(temperature)
    filled = np.flatnonzero(np.any(partial_dos != 0, axis=0))
    step = _checked_step(step, bins, float(own[filled.max(initial=0) + 1]))
    motion = motion_of_density_of_states(partial_dos, own, masses, bins, kelvin, step=step)
    return PhononOrders(kelvin, bins, motion, _kernels(motion, bins, check_order(order)))


def _kernels(motion: Motion, energy_edges: Array, order: int) -> Array:
    """Kernels of `PhononOrders`; order 1 straight from the modes, the others by Fourier transform."""
    size = motion.spectrum.shape[1] // 2
    top = int(np.ceil(energy_edges[-1] / motion.step)) + 1
    length = next_fast_len(order * size + top + 1, real=True)  # so that nothing comes around into what is kept
    cells = np.append(0.0, motion.step * (np.arange(top + 1) + 0.5))
    area = motion.square_displacements[:, None]
    kernels = np.zeros((order, len(area), len(energy_edges) - 1))
    kernels[0] = motion.loss / area
    block = max(1, BLOCK_BYTES // (16 * length))
    for start in range(0, len(area) if order > 1 else 0, block):
        rows = slice(start, start + block)
        first = np.zeros((len(area[rows]), length))
        first[:, : size + 1] = motion.spectrum[rows, size:] / area[rows]
        first[:, -size:] = motion.spectrum[rows, :size] / area[rows]
        transform = rfft(first)
        power = transform
        for n in range(1, order):
            power = power * transform
            loss = np.maximum(irfft(power, length)[:, : top + 1], 0)  # rounding errors may be negative
            kernels[n, rows] = rebin(loss / motion.step, cells, energy_edges)
    return kernels


def _check_positive(edges: ArrayLike) -> Array:
    """Edges that increase from 0 or more."""
    edges = check_edges(edges, name="energy")
    if edges[0] < 0:
        raise GridError(f"energy: bin edges start at {edges[0]} meV; give those of energy loss, from 0 on")
    return edges


def _checked_step(step: float | None, energy_edges: Array, highest: float) -> float:
    """The step that was asked for, or one that suits the bins and the highest mode."""
    if step is None:
        return max(float(np.diff(energy_edges).min()), highest / FINEST_STEP)
    if not (np.isfinite(step) and step > 0):
        raise GridError(f"step is {step} meV; expected a positive energy")
    return float(step)
