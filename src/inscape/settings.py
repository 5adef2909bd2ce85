"""What users ask of predictions and of simulations alike: which spectra, on which grids, through which instrument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inscape.errors import DataError
from inscape.results import KINDS, check_kinds
from inscape.scattering import Instrument, Observation, check_plane, check_temperature, chosen_instrument
from inscape.scattering.plane import HK0
from inscape.spectra import uniform_edges

Array = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class SpectraSettings:
    """Which spectra, on which grids, and how the crystal is looked at.

    Parameters
    ----------
    temperature
        Of the maps, K.
    plane
        Two vectors of the conventional reciprocal lattice that span the plane of the single-crystal map.
    kinds
        Which of "dos", "powder", "crystal" to give.
    emax, de
        Top and step of the energy grid, meV; the top is a little above the highest mode unless given, and many phonons
        reach further. The heat capacity does not depend on it.
    qmax, dq
        Top and step of |Q|, 1/Å.
    instrument
        Name of a spectrometer (`inscape.scattering.instrument_names`), or an `inscape.scattering.Instrument`. TOSCA,
        VISION and others whose banks see one |Q| at each energy give their spectra, which need no kind; any other gives
        the powder map as it sees it.
    ei, ef
        Incident energy of direct, final energy of indirect geometry, meV. Without an instrument: the powder map where
        kinematics allow it.
    multiphonon
        Highest number of phonons in the powder map and in spectra of instruments; True for as many as matter.
    isotopes
        Of elements or atoms, as for `inscape.Crystal.with_isotopes`: ``{"H": "D"}``, ``{"Li": 7}``, ``{0: 11}``.

    Raises
    ------
    GridError, DataError
        Grids, planes, temperatures, numbers of phonons or kinds that make no sense, alone or together.
    InstrumentError, MissingPackageError
        An instrument that does not exist, not in this setting, or not without another package.
    """

    temperature: float = 300.0
    plane: ArrayLike = HK0
    kinds: Sequence[str] = tuple(KINDS)
    emax: float | None = None
    de: float = 0.5
    qmax: float = 10.0
    dq: float = 0.1
    instrument: str | Instrument | None = None
    ei: float | None = None
    ef: float | None = None
    multiphonon: bool | int = False
    isotopes: Mapping[str | int, str | int] | None = None
    observation: Observation = field(init=False)
    q_edges: Array = field(init=False)

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        check_plane(self.plane)
        check_kinds(self.kinds)
        object.__setattr__(self, "q_edges", uniform_edges(self.qmax, self.dq, name="|Q|"))
        uniform_edges(self.de if self.emax is None else self.emax, self.de, name="energy")
        seen_by = chosen_instrument(self.instrument, self.ei, self.ef)
        object.__setattr__(self, "observation", Observation(seen_by, self.multiphonon))
        self._check_kinds_suffice()

    def _check_kinds_suffice(self) -> None:
        """`DataError` where an instrument or many phonons are asked for without the map that they belong to."""
        if "powder" in self.kinds or self.observation.banks:
            return
        if self.observation.instrument is not None:
            raise DataError(
                f"{self.observation.instrument} shows the powder map, and kinds are {', '.join(self.kinds)}: add the "
                "kind powder"
            )
        if self.observation.has_many:
            raise DataError(
                f"many phonons are in powder maps and in spectra of instruments such as TOSCA, and kinds are "
                f"{', '.join(self.kinds)}: add the kind powder, or an instrument"
            )

    @property
    def attributes(self) -> dict[str, str]:
        """What a file has to say of them beyond its spectra."""
        if not self.isotopes:
            return {}
        return {"isotopes": ", ".join(f"{atom}={isotope}" for atom, isotope in self.isotopes.items())}
