"""From reduced spectra R = S·E/(n + 1) to S(Q,E) at a temperature, energy loss and gain; exact, bin by bin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inscape.errors import GridError
from inscape.spectra import centres, check_edges, rebin
from inscape.units import boltzmann, bose

Array = NDArray[np.floating]


def check_temperature(temperature: float) -> float:
    """The temperature as a float; `GridError` unless it is finite and not negative."""
    if not (np.isfinite(temperature) and 0 <= temperature <= 10_000):
        raise GridError(f"temperature is {temperature} K; expected 0 to 10000 K")
    return float(temperature)


def to_scattering(reduced: Array, energy: Array, temperature: float) -> Array:
    """S = R (n(E,T) + 1)/E, where the neutron loses energy (E > 0) and where it gains some (E < 0).

    Parameters
    ----------
    reduced
        Shape (..., n_energy), barn sr⁻¹; R is even, R(−E) = R(E).
    energy
        Bin centres, meV, none of them 0.

    Returns
    -------
    Array
        Shape of ``reduced``, barn sr⁻¹ meV⁻¹.
    """
    return np.asarray(reduced * ((bose(energy, temperature) + 1) / energy))


def absolute_edges(energy_edges: Array) -> Array:
    """Bin edges from 0 on that hold the absolute value of every edge of a signed axis, for `with_energy_gain`.

    Raises
    ------
    GridError
        Edges that do not increase.
    """
    return np.unique(np.append(np.abs(check_edges(energy_edges, name="energy")).round(9), 0.0))


def with_energy_gain(loss: Array, energy_edges: Array, temperature: float, *, mirrored: Array | None = None) -> Array:
    """S on an energy axis that may reach from gain (E < 0) to loss (E > 0), by detailed balance.

    Parameters
    ----------
    loss
        S for energy loss on the bins ``absolute_edges(energy_edges)``, shape (..., n).
    energy_edges
        Bin edges, shape (n_energy + 1,), meV, increasing.
    temperature
        K.
    mirrored
        S for loss to which gain is in balance, where it is not ``loss``: at the |Q| of gain, on a trajectory.

    Returns
    -------
    Array
        Shape (..., n_energy). On an axis that is symmetric about 0, S(−E) = exp(−E/k_BT) S(E) at the centres of bins.
    """
    positive = absolute_edges(energy_edges)
    gain = (loss if mirrored is None else mirrored) * boltzmann(centres(positive), temperature)
    both = np.concatenate([gain[..., ::-1], loss], axis=-1)
    signed = np.concatenate([-positive[:0:-1], positive])
    first = int(np.abs(signed - energy_edges[0]).argmin())
    same = signed[first : first + len(energy_edges)]
    if len(same) == len(energy_edges) and np.allclose(same, energy_edges, rtol=0, atol=1e-8):
        return both[..., first : first + len(energy_edges) - 1]
    return rebin(both, signed, np.asarray(energy_edges, dtype=float))
