"""What an instrument is: the energies it resolves, where its detectors are, and how a map looks through it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inscape.errors import InstrumentError
from inscape.scattering.indirect import Bank
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


class Setting:
    """Which energy of a spectrometer is fixed, and where its detectors are: all but its resolution.

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

    Raises
    ------
    GridError
        An energy that is not positive; angles that are no ranges.
    InstrumentError
        Another kind.
    """

    def __init__(self, name: str, kind: Literal["direct", "indirect"], fixed_energy: float, angles: Angles) -> None:
        if kind not in ("direct", "indirect"):
            raise InstrumentError(f"kind of {name} is {kind!r}; an instrument is 'direct' or 'indirect'")
        self.name = name
        self.kind = kind
        self.fixed_energy = check_fixed_energy(fixed_energy, f"{self.symbol} of {name}")
        self.angles = check_angles(angles)

    @property
    def symbol(self) -> str:
        """What the fixed energy is called: E_i or E_f."""
        return "E_i" if self.kind == "direct" else "E_f"

    @property
    def geometry(self) -> dict[str, float]:
        """The energy that is fixed, as ``incident`` or ``final``, for the functions of kinematics."""
        return {"incident" if self.kind == "direct" else "final": self.fixed_energy}

    @property
    def banks(self) -> tuple[Bank, ...]:
        """Banks that see one |Q| at each energy: those of indirect geometry, if all stand at one angle each."""
        if self.kind == "direct" or any(low != high for low, high in self.angles):
            return ()
        names = ["backward" if angle > 90 else "forward" for angle, _ in self.angles]
        if len(set(names)) < len(names):
            names = [f"{angle:g}°" for angle, _ in self.angles]
        return tuple(Bank(name, self.fixed_energy, angle) for name, (angle, _) in zip(names, self.angles, strict=True))

    def reach(self, q_edges: ArrayLike, energy_edges: ArrayLike) -> NDArray[np.bool_]:
        """Which bins of a map some detector sees, shape (n_q, n_energy)."""
        q, energy = check_edges(q_edges, name="|Q|"), check_edges(energy_edges, name="energies")
        return reached_bins(q, energy, self.angles, **self.geometry)

    def attributes(self) -> dict[str, Any]:
        """All of it as attributes of a file; `of_attributes` reads them."""
        return {
            "instrument": self.name,
            "instrument_geometry": self.kind,
            "instrument_fixed_energy_meV": self.fixed_energy,
            "instrument_angles_degree": np.ravel(self.angles).astype(float),
        }

    @staticmethod
    def of_attributes(attributes: Mapping[Any, Any]) -> Setting | None:
        """The setting that the attributes of a file name; None if they name none."""
        if "instrument" not in attributes:
            return None
        pairs = np.reshape(attributes["instrument_angles_degree"], (-1, 2)).tolist()
        kind, energy = attributes["instrument_geometry"], float(attributes["instrument_fixed_energy_meV"])
        return Setting(attributes["instrument"], kind, energy, tuple((low, high) for low, high in pairs))

    def __str__(self) -> str:
        return f"{self.name}, {self.symbol} = {self.fixed_energy:.4g} meV"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name}, {self.kind}, {self.fixed_energy:g} meV)"


class Instrument(Setting, ABC):
    """A spectrometer in one setting. Subclass it, give `sigma`, and the rest follows.

    Parameters
    ----------
    name, kind, fixed_energy, angles
        As of `Setting`.
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
        super().__init__(name, kind, fixed_energy, angles)
        self.allowed = allowed
        if not allowed[0] <= self.fixed_energy <= allowed[1]:
            raise InstrumentError(
                f"{self.symbol} = {fixed_energy:g} meV is out of reach of {name}; "
                f"it takes {allowed[0]:g} to {allowed[1]:g} meV"
            )

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

    def broaden(self, values: Array, energy_edges: ArrayLike) -> Array:
        """Spectra, shape (..., n_energy), any unit, without NaN, broadened in energy with the area kept."""
        energy_edges = check_edges(energy_edges, name="energies")
        energy = centres(energy_edges)
        possible = energy <= self.fixed_energy if self.kind == "direct" else energy >= -self.fixed_energy
        sigma = np.zeros_like(energy)
        sigma[possible] = self.resolution(energy[possible])
        return broaden(values, energy_edges, sigma)

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
        seen = broaden(self.broaden(values, energy_edges), q_edges, q_width, axis=0)
        return np.where(self.reach(q_edges, energy_edges), seen, np.nan)


class AllAngles(Instrument):
    """A detector at every angle and no width: it shows what the kinematics alone allow.

    Parameters
    ----------
    e_i
        Incident energy of direct geometry, meV.
    e_f
        Instead of it, final energy of indirect geometry, meV.
    """

    def __init__(self, e_i: float | None = None, *, e_f: float | None = None) -> None:
        if e_i is not None and e_f is None:
            super().__init__("all angles", "direct", e_i, ((0.0, 180.0),))
        elif e_f is not None and e_i is None:
            super().__init__("all angles", "indirect", e_f, ((0.0, 180.0),))
        else:
            raise InstrumentError("one energy is fixed: give the incident one or the final one, and not both")

    def sigma(self, energy: Array) -> Array:
        """Next to nothing, meV: far below any bin, so that `measure` changes no value."""
        return np.full(np.shape(energy), 1e-12)
