"""The whole powder spectrum S(|Q|,E) at one temperature or several, its parts kept apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from inscape.errors import GridError
from inscape.scattering.dos import displacements
from inscape.scattering.lengths import ScatteringLengths, scattering_lengths
from inscape.scattering.multiphonon import PhononOrders, check_order, orders_needed, phonon_orders
from inscape.scattering.powder import powder_map
from inscape.scattering.temperature import absolute_edges, check_temperature, to_scattering, with_energy_gain
from inscape.spectra import centres, check_edges

if TYPE_CHECKING:
    from inscape.lattice import ForceConstants, Modes

Array = NDArray[np.floating]


def powder_spectrum(
    force_constants: ForceConstants,
    modes: Modes,
    q_edges: ArrayLike,
    energy_edges: ArrayLike,
    temperature: float | Sequence[float],
    *,
    order: int | None = None,
    tolerance: float = 1e-4,
    elastic: bool = False,
    isotropic: bool = False,
    lengths: ScatteringLengths | None = None,
    per_shell: int = 300,
) -> xr.Dataset:
    """S(|Q|,E) of a powder for energy loss and gain: one phonon, many phonons, and the elastic line.

    Parameters
    ----------
    force_constants
        Needed for shells of |Q| that are too small for the mesh.
    modes
        Modes on a mesh of the same force constants; one set serves every temperature.
    q_edges
        Bin edges of |Q|, shape (n_q + 1,), 1/Å, increasing, none below 0.
    energy_edges
        Bin edges of energy, shape (n_energy + 1,), meV, increasing; the neutron loses energy where they are positive.
    temperature
        K; several give a dimension ``temperature``.
    order
        Highest number of phonons; as many as matter unless given.
    tolerance
        Share of the recoil sum rule that numbers of phonons left out may hold, where ``order`` is left out.
    elastic
        Put the incoherent elastic line into the bin that holds E = 0. Bragg peaks are never there.
    isotropic
        Let each atom move alike in all directions in the incoherent parts, with its mean displacement.
    lengths
        Scattering lengths; those of the crystal's elements and isotopes unless given.
    per_shell
        Wave vectors in each shell of the coherent part; its statistical error falls with the square root.

    Returns
    -------
    xr.Dataset
        ``coherent`` and ``incoherent``, both with one phonon; ``multiphonon`` for each ``order`` from 2 on, coherent
        and incoherent cross section together in the incoherent approximation; ``elastic`` if asked for. Dimensions
        (temperature, order, q, energy) as far as they apply, barn sr⁻¹ meV⁻¹ per atom, without k_f/k_i. The sum of all
        is S. Bins of |Q| hold the mean over the volume of their shell. On an energy axis that is symmetric about 0
        each part has S(−E) = exp(−E/k_BT) S(E) at the centres of the bins.

    Raises
    ------
    GridError
        Edges that do not increase, |Q| below 0, an impossible temperature, order or tolerance.
    """
    q_edges, energy_edges = check_edges(q_edges, name="|Q|"), check_edges(energy_edges, name="energy")
    if q_edges[0] < 0:
        raise GridError(f"|Q|: bin edges start at {q_edges[0]} 1/Å; a length is 0 or more")
    kelvins = [check_temperature(t) for t in np.atleast_1d(np.asarray(temperature, dtype=float))]
    lengths = lengths or scattering_lengths(modes.crystal)
    tensors = np.stack([displacements(modes, kelvin) for kelvin in kelvins])
    two_w = float(q_edges[-1] ** 2 * np.linalg.eigvalsh(tensors).max())
    highest = orders_needed(two_w, tolerance) if order is None else check_order(order)
    positive = absolute_edges(energy_edges)
    reduced = powder_map(force_constants, modes, q_edges, positive, lengths, tensors, per_shell=per_shell)
    spectra = []
    for kelvin, coherent in zip(kelvins, reduced, strict=True):
        orders = phonon_orders(modes, positive, kelvin, order=highest, isotropic=isotropic)
        spectra.append(_parts(orders, coherent, lengths, q_edges, energy_edges, elastic=elastic))
    several = np.ndim(temperature) > 0
    return xr.concat(spectra, dim="temperature", data_vars="all") if several else spectra[0]


def _parts(
    orders: PhononOrders,
    coherent: Array,
    lengths: ScatteringLengths,
    q_edges: Array,
    energy_edges: Array,
    *,
    elastic: bool,
) -> xr.Dataset:
    """The parts of S at one temperature, from the reduced coherent map and the orders of the incoherent scattering."""
    q, kelvin = shell_radius(q_edges), orders.temperature
    loss = {
        "coherent": to_scattering(coherent, centres(orders.energy_edges), kelvin),
        "incoherent": orders.on_grid(q, lengths.square("incoherent"))[0],
        "multiphonon": orders.on_grid(q, lengths.square("coherent-plus-incoherent"))[1:],
    }
    parts = {name: with_energy_gain(part, energy_edges, kelvin) for name, part in loss.items()}
    if elastic:
        parts["elastic"] = elastic_line(orders.elastic(q, lengths.square("incoherent")), energy_edges)
    axes = ("order", "q", "energy")
    return xr.Dataset(
        {name: (axes[-part.ndim :], part, {"units": "barn sr⁻¹ meV⁻¹ per atom"}) for name, part in parts.items()},
        coords={
            "temperature": ((), kelvin, {"units": "K"}),
            "order": ("order", np.arange(2, len(orders.kernels) + 1), {"long_name": "number of phonons"}),
            "q": ("q", centres(q_edges), {"units": "1/angstrom", "long_name": "|Q|"}),
            "energy": ("energy", centres(energy_edges), {"units": "meV", "long_name": "energy that the neutron loses"}),
        },
    )


def shell_radius(q_edges: Array) -> Array:
    """Root mean square of |Q| over the volume of each shell, shape (n_q,), 1/Å."""
    low, high = q_edges[:-1], q_edges[1:]
    return np.asarray(np.sqrt(0.6 * (high**5 - low**5) / (high**3 - low**3)))


def elastic_line(area: Array, energy_edges: Array) -> Array:
    """A line at E = 0 in the bin that holds it, halved between two that meet there.

    Parameters
    ----------
    area
        Area of the line at each |Q|, shape (n_q,), barn sr⁻¹ per atom.
    energy_edges
        Bin edges, shape (n_energy + 1,), meV.

    Returns
    -------
    Array
        Shape (n_q, n_energy), barn sr⁻¹ meV⁻¹ per atom.
    """
    around = np.flatnonzero((energy_edges[:-1] <= 0) & (energy_edges[1:] >= 0))
    if not len(around):
        raise GridError(
            f"energy: bins from {energy_edges[0]} to {energy_edges[-1]} meV do not hold the elastic line at 0; "
            "widen them, or leave it out"
        )
    spectrum = np.zeros((len(area), len(energy_edges) - 1))
    spectrum[:, around] = area[:, None] / (np.diff(energy_edges)[around] * len(around))
    return spectrum
