"""Spectra of indirect-geometry spectrometers: a fixed final energy and angle tie |Q| to energy transfer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from inscape.errors import GridError
from inscape.scattering.dos import displacements
from inscape.scattering.kinematics import momentum_transfer
from inscape.scattering.lengths import ScatteringLengths, Weights, scattering_lengths
from inscape.scattering.multiphonon import PhononOrders, check_order, orders_needed, phonon_orders
from inscape.scattering.temperature import absolute_edges, check_temperature, with_energy_gain
from inscape.spectra import centres, check_edges
from inscape.units import INVERSE_CM

if TYPE_CHECKING:
    from inscape.lattice import Modes

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Bank:
    """Detectors of a spectrometer: their name, the energy of the neutrons they count, meV, and scattering angle, °."""

    name: str
    final_energy: float
    angle: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.final_energy) and self.final_energy > 0 and 0 <= self.angle <= 180):
            raise GridError(
                f"bank {self.name!r} has a final energy of {self.final_energy} meV and an angle of {self.angle}°; "
                "expected a positive energy and 0 to 180°"
            )

    def wave_vector(self, energy: ArrayLike) -> Array:
        """|Q| at energy transfers, 1/Å, as `momentum_transfer` has it; NaN where E_i is not positive.

        E_i = E_f + E: the energy transfer is positive where the neutron loses energy.
        """
        initial = np.asarray(energy, dtype=float) + self.final_energy
        return momentum_transfer(np.where(initial > 0, initial, np.nan), self.final_energy, self.angle)


VISION = (Bank("backward", 3.649, 135.0), Bank("forward", 3.649, 45.0))
"""Inelastic banks of VISION (SNS, Oak Ridge): E_f of its analysers, graphite with d = 3.348 Å at a Bragg angle of 45°
(P. A. Seeger et al., Nucl. Instrum. Methods A 604, 719, 2009, as in resins); angles of its instrument definition in
Mantid, which has E_f = 3.64 meV."""

TOSCA = (Bank("backward", 32.0 * INVERSE_CM, 134.98885653282196), Bank("forward", 32.0 * INVERSE_CM, 45.0))
"""Banks of TOSCA (ISIS) as in Mantid's Abins: E_f = 32 cm⁻¹ = 3.97 meV. The Bragg angles of its analysers in P. C. H.
Mitchell et al., Vibrational Spectroscopy with Neutrons, 2005, as in resins, give 3.32 and 3.35 meV."""


def indirect_spectrum(
    modes: Modes,
    energy_edges: ArrayLike,
    temperature: float,
    banks: Sequence[Bank] = VISION,
    *,
    order: int | None = None,
    tolerance: float = 1e-4,
    weights: Weights = "coherent-plus-incoherent",
    isotropic: bool = False,
    lengths: ScatteringLengths | None = None,
) -> xr.DataArray:
    """S(E) in the incoherent approximation along the trajectories of a spectrometer with fixed final energy.

    Parameters
    ----------
    modes
        Modes on a mesh.
    energy_edges
        Bin edges, shape (n_energy + 1,), meV, increasing; the neutron loses energy where they are positive.
    temperature
        K.
    banks
        Final energy and angle of each bank of detectors: `VISION`, `TOSCA` or your own.
    order
        Highest number of phonons; as many as matter unless given.
    tolerance
        Share of the recoil sum rule that numbers of phonons left out may hold, where ``order`` is left out.
    weights
        Cross section of each atom; with both, coherent scattering is treated as if it were incoherent.
    isotropic
        Let each atom move alike in all directions, with its mean displacement.
    lengths
        Scattering lengths; those of the crystal's elements and isotopes unless given.

    Returns
    -------
    xr.DataArray
        Dimensions (bank, order, energy), barn sr⁻¹ meV⁻¹ per atom, without k_f/k_i and resolution, with the coordinate
        ``q`` (bank, energy), 1/Å. What a bank cannot reach is NaN.

    Raises
    ------
    GridError
        Edges that do not increase or lie out of reach of all banks, an impossible temperature, order or tolerance.
    """
    edges, kelvin = check_edges(energy_edges, name="energy"), check_temperature(temperature)
    square = (lengths or scattering_lengths(modes.crystal)).square(weights)
    energy, positive = centres(edges), absolute_edges(edges)
    q = np.stack([bank.wave_vector(energy) for bank in banks])
    if np.all(np.isnan(q)):
        raise GridError(f"energy: up to {edges[-1]} meV no neutron reaches a bank; give bins above −E_f")
    if order is None:
        two_w = float(np.nanmax(q) ** 2 * np.linalg.eigvalsh(displacements(modes, kelvin)).max())
        order = orders_needed(two_w, tolerance)
    orders = phonon_orders(modes, positive, kelvin, order=check_order(order), isotropic=isotropic)
    return along_trajectories(orders, edges, banks, square)


def along_trajectories(
    orders: PhononOrders, energy_edges: Array, banks: Sequence[Bank], lengths_square: Array
) -> xr.DataArray:
    """S(E) of each bank and number of phonons, from kernels of any origin: modes, or densities of states.

    Parameters
    ----------
    orders
        On the bins ``absolute_edges(energy_edges)``.
    energy_edges
        Bin edges, shape (n_energy + 1,), meV.
    lengths_square
        β of each atom, shape (n_atoms,), barn sr⁻¹: `ScatteringLengths.square`.

    Returns
    -------
    xr.DataArray
        As from `indirect_spectrum`.
    """
    energy, positive = centres(energy_edges), centres(orders.energy_edges)
    q = np.stack([bank.wave_vector(energy) for bank in banks])
    spectra = []
    for bank, own in zip(banks, q, strict=True):
        loss, mirrored = (
            orders.along(np.nan_to_num(bank.wave_vector(side)), lengths_square) for side in (positive, -positive)
        )
        found = with_energy_gain(loss, energy_edges, orders.temperature, mirrored=mirrored)
        spectra.append(np.where(np.isnan(own), np.nan, found))
    return xr.DataArray(
        np.stack(spectra),
        dims=("bank", "order", "energy"),
        coords={
            "bank": [bank.name for bank in banks],
            "order": ("order", np.arange(1, len(orders.kernels) + 1), {"long_name": "number of phonons"}),
            "energy": ("energy", energy, {"units": "meV", "long_name": "energy that the neutron loses"}),
            "q": (("bank", "energy"), q, {"units": "1/angstrom", "long_name": "|Q|"}),
        },
        name="spectrum",
        attrs={"units": "barn sr⁻¹ meV⁻¹ per atom", "temperature_K": orders.temperature},
    )
