"""What a prediction says of its own errors: typical ones, and intervals that hold the truth nine times out of ten.

How large errors are was learned from tuning crystals (`inscape.calibration`) and lies beside the weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from inscape.errors import WeightsError
from inscape.spectra import centres, native_energy_edges

Array = NDArray[np.floating]

CALIBRATIONS = {"code": "calibration.json", "force-constants": "calibration-force-constants.json"}
"""Files in which lies what was learned of each road."""

LEVEL_FLOOR = 0.01
"""Added to the density of states, in units of its area over its mean energy, where its logarithm is taken."""


class Signed(Protocol):
    """What typical errors of a prediction are judged by."""

    @property
    def mean_energy(self) -> float:
        """Of the modes, meV."""

    @property
    def disagreement(self) -> float:
        """Of the members."""

    @property
    def novelty(self) -> float:
        """Above 1 foreign."""


class Judged(Signed, Protocol):
    """What errors of its density of states are judged by: parts of `inscape.structure_model.Structure`."""

    @property
    def partial_dos(self) -> Array:
        """Shape (n_atoms, n_energy), 1/meV, on the native grid."""


@dataclass(frozen=True)
class Doubts:
    """What was learned of errors; where nothing was, nothing is said.

    ``errors``: of each kind of typical error, coefficients of `signs` for its logarithm. ``stretch``: ``lines``, for
    each thermodynamic function and each of the ``temperatures``, K, coefficients of `signs` for the logarithm of a
    share.
    ``dos``: ``line``, coefficients of `bin_signs`, and ``below`` and ``above``, how many times the error that the line
    expects the density of states may be lower and higher. ``maps``: of each kind of map, its error over the standard
    deviation of the networks.
    """

    errors: Mapping[str, Sequence[float]] = field(default_factory=dict)
    stretch: Mapping[str, Any] = field(default_factory=dict)
    dos: Mapping[str, Any] = field(default_factory=dict)
    maps: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Doubts:
        """Those of a file of `inscape.calibration.calibrate`; none if there is no such file.

        Raises
        ------
        WeightsError
            It is damaged or of another version.
        """
        if not path.exists():
            return cls()
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            return cls(known["errors"], known["stretch"], known["dos"], known.get("maps", {}))
        except (ValueError, KeyError, TypeError) as error:
            raise WeightsError(
                f"{path} is no calibration of this version of inscape ({type(error).__name__}: {error}); make one "
                "with: inscape train calibration --library LIBRARY"
            ) from None

    def expected_error(self, structure: Signed, kinds: Sequence[str]) -> dict[str, float]:
        """Typical errors of a prediction.

        ``dos_w1_meV``: Wasserstein-1 distance of the density of states; ``powder_cut_cosine`` and
        ``crystal_cut_cosine``: cosine of energy cuts at 10 K, smoothed by 1 meV.
        """
        found = {}
        for name, line in self.errors.items():
            error = float(np.exp(np.dot(line, signs(structure))))
            if name.split("_")[0] in kinds:
                found[name] = max(0.0, 1 - error) if name.endswith("cosine") else error
        return found

    def shares(self, structure: Signed) -> tuple[dict[str, Array], Array]:
        """By what share energies may be wrong as far as thermodynamic functions show it, nine times out of ten less.

        Returns
        -------
        shares
            By the name of the quantity, each shape (n_temperatures,); none where nothing was calibrated.
        temperatures
            Shape (n_temperatures,), K.
        """
        if not self.stretch:
            return {}, np.empty(0)
        known = signs(structure)
        found = {name: np.exp(np.array(lines) @ known) for name, lines in self.stretch["lines"].items()}
        return found, np.array(self.stretch["temperatures"])

    def dos_band(self, structure: Judged) -> tuple[Array, Array] | None:
        """How much lower and higher than predicted the total density of states may be, in nine bins out of ten.

        It is that smoothed by 1 meV; that it is not negative is left to be said. None where nothing was calibrated.

        Returns
        -------
        below, above
            On the native energy grid, each shape (n_energy,), 1/meV, not negative.
        """
        if not self.dos:
            return None
        total = structure.partial_dos.sum(axis=0)
        unit = total @ np.diff(native_energy_edges()) / structure.mean_energy
        size = unit * np.exp(bin_signs(structure) @ np.array(self.dos["line"]))
        return self.dos["below"] * size, self.dos["above"] * size


def around(total: Array, energy: Array, band: tuple[Array, Array]) -> tuple[Array, Array]:
    """Lower and upper end of what holds a density of states, shape (n,), at energies (n,), meV.

    ``band`` is that of `Doubts.dos_band`, on the native grid.
    """
    native = centres(native_energy_edges())
    below, above = (np.interp(energy, native, part) for part in band)
    return np.maximum(total - below, 0.0), total + above


def signs(structure: Signed) -> Array:
    """What errors of a crystal are judged by, shape (4,): 1, logarithms of disagreement, novelty and mean energy."""
    judged = structure.disagreement, structure.novelty, structure.mean_energy
    return np.array([1.0, *np.log(np.maximum(judged, 1e-4))])


def bin_signs(structure: Judged) -> Array:
    """What errors of bins are judged by, shape (n_energy, 5) on the native grid: `signs`, and the logarithm of the
    density of states in units of its area over its mean energy.
    """
    total = structure.partial_dos.sum(axis=0)
    level = total * structure.mean_energy / (total @ np.diff(native_energy_edges()))
    return np.column_stack([np.tile(signs(structure), (len(total), 1)), np.log(level + LEVEL_FLOOR)])
