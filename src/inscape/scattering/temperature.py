"""From reduced spectra R = S·E/(n + 1) to S(Q,E) at a temperature, and back; exact, bin by bin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inscape.errors import GridError
from inscape.units import bose

Array = NDArray[np.floating]


def check_temperature(temperature: float) -> float:
    """The temperature as a float; `GridError` unless it is finite and not negative."""
    if not (np.isfinite(temperature) and 0 <= temperature <= 10_000):
        raise GridError(f"temperature is {temperature} K; expected 0 to 10000 K")
    return float(temperature)


def to_scattering(reduced: Array, energy: Array, temperature: float) -> Array:
    """S = R (n(E,T) + 1)/E on the energy-loss side.

    Parameters
    ----------
    reduced
        Shape (..., n_energy), barn sr⁻¹.
    energy
        Bin centres, meV, positive.

    Returns
    -------
    Array
        Shape of ``reduced``, barn sr⁻¹ meV⁻¹.
    """
    return np.asarray(reduced * ((bose(energy, temperature) + 1) / energy))
