"""What is seen of a crystal beyond scattering by one phonon: many phonons, and a spectrometer.

Nothing here asks where spectra come from: kernels of many phonons are made from modes or from densities of states, maps
are computed or predicted, and both go the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from inscape.errors import GridError
from inscape.scattering.indirect import Bank, along_trajectories
from inscape.scattering.instruments import Instrument
from inscape.scattering.lengths import ScatteringLengths
from inscape.scattering.multiphonon import PhononOrders, check_order, orders_needed
from inscape.scattering.spectrum import shell_radius

Array = NDArray[np.floating]

TOLERANCE = 1e-4
"""Share of the recoil sum rule that numbers of phonons left out may hold, where as many as matter are asked for."""


@dataclass(frozen=True, eq=False)
class Observation:
    """How a crystal is looked at.

    Parameters
    ----------
    instrument
        The spectrometer. One whose banks see one |Q| at each energy gives spectra along their trajectories, any other
        the powder map as its detectors see it.
    multiphonon
        Highest number of phonons; True for as many as matter, False for one.

    Raises
    ------
    GridError
        An impossible number of phonons.
    InstrumentError
        The widths of the instrument are not known.
    """

    instrument: Instrument | None = None
    multiphonon: bool | int = False

    def __post_init__(self) -> None:
        if not isinstance(self.multiphonon, bool):
            check_order(self.multiphonon)
        if self.instrument is not None:
            self.instrument.resolution(0.0)

    @property
    def banks(self) -> tuple[Bank, ...]:
        """Banks whose spectra are asked for."""
        return self.instrument.banks if self.instrument is not None else ()

    @property
    def has_many(self) -> bool:
        """Whether scattering by two or more phonons is asked for."""
        return int(self.multiphonon) > 1 or self.multiphonon is True

    def spectra(
        self,
        one_phonon: Callable[[], PhononOrders],
        lengths: ScatteringLengths,
        energy_edges: Array,
        q_edges: Array | None = None,
        powder: Array | None = None,
    ) -> xr.Dataset:
        """What is asked for, of one crystal.

        Parameters
        ----------
        one_phonon
            Makes kernels for one phonon on the bins ``energy_edges``, from modes or densities of states; it is called
            if they are needed.
        lengths
            Scattering lengths of the atoms.
        energy_edges
            Bin edges of energy loss, shape (n_energy + 1,), meV, none below 0.
        q_edges
            Bin edges of the powder map, shape (n_q + 1,), 1/Å.
        powder
            The powder map of one phonon, shape (n_q, n_energy), barn sr⁻¹ meV⁻¹ per atom.

        Returns
        -------
        xr.Dataset
            ``powder_multiphonon`` (order, q, energy), numbers of phonons from 2 on; ``instrument_map`` (q, energy), one
            and many phonons, broadened, NaN where no detector is; ``instrument_spectrum`` (bank, energy), one and many
            phonons, broadened, ``instrument_multiphonon`` (bank, order, energy), its part by two and more, and
            ``instrument_q`` (bank, energy), 1/Å. Only what was asked for is there. S in barn sr⁻¹ meV⁻¹ per atom; many
            phonons, and the spectra of banks, in the incoherent approximation.

        Raises
        ------
        GridError
            No detector sees any bin of the map, or too many phonons matter.
        """
        found = xr.Dataset(attrs=self.instrument.attributes() if self.instrument is not None else {})
        many: Array | None = None
        if self.banks or (self.has_many and q_edges is not None):
            orders = self._up_to_what_matters(one_phonon(), energy_edges, q_edges)
            square = lengths.square("coherent-plus-incoherent")
            if self.has_many:
                found.attrs["multiphonon_order"] = len(orders.kernels)
                found.coords["order"] = ("order", np.arange(2, len(orders.kernels) + 1))
                if q_edges is not None:
                    many = orders.on_grid(shell_radius(q_edges), square)[1:]
                    found["powder_multiphonon"] = (("order", "q", "energy"), many)
            if self.banks:
                self._add_spectra(found, orders, square, energy_edges)
        if self.instrument is not None and not self.banks and powder is not None and q_edges is not None:
            whole = np.asarray(powder, dtype=float) if many is None else powder + many.sum(axis=0)
            found["instrument_map"] = (("q", "energy"), seen_map(self.instrument, whole, q_edges, energy_edges))
        return found

    def _up_to_what_matters(self, orders: PhononOrders, energy_edges: Array, q_edges: Array | None) -> PhononOrders:
        """The kernels up to the number of phonons asked for; at the largest |Q| of all that is asked for, if any."""
        if not self.has_many:
            return orders
        if self.multiphonon is not True:
            return orders.up_to(int(self.multiphonon))
        ends = [float(np.nanmax(bank.wave_vector(energy_edges))) for bank in self.banks]
        highest = max([*ends, 0.0 if q_edges is None else float(q_edges[-1])])
        return orders.up_to(max(2, orders_needed(highest**2 * orders.motion.square_displacements.max(), TOLERANCE)))

    def _add_spectra(self, found: xr.Dataset, orders: PhononOrders, lengths_square: Array, energy_edges: Array) -> None:
        assert self.instrument is not None
        sharp = along_trajectories(orders, energy_edges, self.banks, lengths_square)
        seen = self.instrument.broaden(sharp.values, energy_edges)
        found.coords["bank"] = ("bank", np.array([bank.name for bank in self.banks], dtype=object))
        found["instrument_spectrum"] = (("bank", "energy"), seen.sum(axis=1))
        found["instrument_q"] = (("bank", "energy"), sharp["q"].values)
        if self.has_many:
            found["instrument_multiphonon"] = (("bank", "order", "energy"), seen[:, 1:])


def seen_map(instrument: Instrument, powder: Array, q_edges: Array, energy_edges: Array) -> Array:
    """A powder map as an instrument sees it, as from `Instrument.measure`; `GridError` if it sees nothing of it."""
    seen = instrument.measure(powder, q_edges, energy_edges)
    if np.isnan(seen).all():
        raise GridError(
            f"no detector of {instrument} sees any of the map, which goes to {q_edges[-1]:g} 1/Å and from "
            f"{energy_edges[0]:g} to {energy_edges[-1]:g} meV in steps of {energy_edges[1] - energy_edges[0]:g} meV: "
            "take a higher energy, or other grids"
        )
    return seen
