"""What an instrument is: the energies it resolves, where its detectors are, and how a map looks through it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inscape.errors import InstrumentError
from inscape.scattering.kinematics import (
    Angles,
    check_angles,
    check_fixed_energy,
    final_energy,
    incident_energy,
    reached_bins,
)
from inscape.scattering.resolution import FWHM, broaden
from inscape.spectra import centres, check_edges

Array = NDArray[np.floating]


class Instrument(ABC):
    """A spectrometer in one setting. Subclass it, give `sigma`, and the rest follows.

    Parameters
    ----------
    name
        Name, as users write it.
    kind
        ``direct``: the incident energy E_i is fixed; ``indirect``: the final one, E_f, is.
    fixed_energy
        E_i or E_f, meV.
    angles
        Ranges of the scattering angle 2θ covered by detectors, degrees.
    allowed
        Smallest and largest fixed energy, meV.

    Raises
    ------
    GridError
        An energy that is not positive; angles that are no ranges.
    InstrumentError
        An energy that the instrument does not take.
    """

    def __init__(
        self,
        name: str,
        kind: Literal["direct", "indirect"],
        fixed_energy: float,
        angles: Angles,
        allowed: tuple[float, float] = (0.0, np.inf),
    ) -> None:
        if kind not in ("direct", "indirect"):
            raise InstrumentError(f"kind of {name} is {kind!r}; an instrument is 'direct' or 'indirect'")
        symbol = "E_i" if kind == "direct" else "E_f"
        self.name = name
        self.kind = kind
        self.fixed_energy = check_fixed_energy(fixed_energy, f"{symbol} of {name}")
        self.angles = check_angles(angles)
        self.allowed = allowed
        if not allowed[0] <= self.fixed_energy <= allowed[1]:
            raise InstrumentError(
                f"{symbol} = {fixed_energy:g} meV is out of reach of {name}; "
                f"it takes {allowed[0]:g} to {allowed[1]:g} meV"
            )

    @property
    def geometry(self) -> dict[str, float]:
        """The energy that is fixed, as ``incident`` or ``final``, for the functions of kinematics."""
        return {"incident" if self.kind == "direct" else "final": self.fixed_energy}

    @abstractmethod
    def sigma(self, energy: Array) -> Array:
        """Standard deviation of the energy resolution at energy transfers, of the same shape, meV, positive.

        It is only asked for transfers that `resolution` lets through.
        """

    def resolution(self, energy: ArrayLike) -> Array:
        """Standard deviation of the energy resolution, meV, at energy transfers, meV.

        Raises
        ------
        GridError
            A transfer that no neutron of the fixed energy can make.
        """
        energy = np.asarray(energy, dtype=float)
        (final_energy if self.kind == "direct" else incident_energy)(self.fixed_energy, energy)
        return np.asarray(self.sigma(energy), dtype=float)

    def fwhm(self, energy: ArrayLike) -> Array:
        """Full width at half maximum of the energy resolution, meV, at energy transfers, meV."""
        return FWHM * self.resolution(energy)

    def reach(self, q_edges: ArrayLike, energy_edges: ArrayLike) -> NDArray[np.bool_]:
        """Which bins of a map some detector sees, shape (n_q, n_energy)."""
        q, energy = check_edges(q_edges, name="|Q|"), check_edges(energy_edges, name="energies")
        return reached_bins(q, energy, self.angles, **self.geometry)

    def measure(self, values: Array, q_edges: ArrayLike, energy_edges: ArrayLike, *, q_width: float = 0.0) -> Array:
        """A powder map S(|Q|,E) as the instrument shows it.

        Parameters
        ----------
        values
            S, shape (n_q, n_energy), any unit, without NaN.
        q_edges, energy_edges
            Bin edges, 1/Å and meV.
        q_width
            Standard deviation of the resolution in |Q|, 1/Å.

        Returns
        -------
        Array
            Broadened in energy and |Q| with the area kept, and NaN where no detector is.
        """
        q_edges, energy_edges = check_edges(q_edges, name="|Q|"), check_edges(energy_edges, name="energies")
        energy = centres(energy_edges)
        possible = energy <= self.fixed_energy if self.kind == "direct" else energy >= -self.fixed_energy
        sigma = np.zeros_like(energy)
        sigma[possible] = self.resolution(energy[possible])
        seen = broaden(broaden(values, energy_edges, sigma), q_edges, q_width, axis=0)
        return np.where(self.reach(q_edges, energy_edges), seen, np.nan)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name}, {self.kind}, {self.fixed_energy:g} meV)"


class AllAngles(Instrument):
    """Direct geometry with a detector at every angle and no width: it shows what the kinematics alone allow.

    Parameters
    ----------
    e_i
        Incident energy, meV.
    """

    def __init__(self, e_i: float) -> None:
        super().__init__("all angles", "direct", e_i, ((0.0, 180.0),))

    def sigma(self, energy: Array) -> Array:
        """Next to nothing, meV: far below any bin, so that `measure` changes no value."""
        return np.full(np.shape(energy), 1e-12)
