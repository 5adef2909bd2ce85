"""What a spectrometer can reach: |Q| from energies and angles, and masks where no detector is."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inscape.errors import GridError
from inscape.spectra import centres
from inscape.units import HBAR2_2MN

Array = NDArray[np.floating]
Angles = tuple[tuple[float, float], ...]


def momentum_transfer(incident: ArrayLike, final: ArrayLike, two_theta: ArrayLike) -> Array:
    """|Q| of a neutron scattered by 2θ: ħ²Q²/2m = E_i + E_f − 2√(E_i E_f) cos 2θ.

    Parameters
    ----------
    incident, final
        E_i and E_f, meV, not negative; any shapes that go together.
    two_theta
        Scattering angle, degrees.

    Returns
    -------
    Array
        1/Å.

    References
    ----------
    G. L. Squires, Introduction to the Theory of Thermal Neutron Scattering (2012): Q = k_i − k_f, eq. 1.17, squared.
    """
    incident, final = np.asarray(incident, dtype=float), np.asarray(final, dtype=float)
    cosine = np.cos(np.deg2rad(two_theta))
    square = (incident + final - 2 * np.sqrt(incident * final) * cosine) / HBAR2_2MN
    return np.asarray(np.sqrt(np.maximum(square, 0.0)))


def final_energy(incident: float, energy: ArrayLike) -> Array:
    """E_f = E_i − E of direct geometry, meV; `GridError` where the neutron has no such energy to lose."""
    check_fixed_energy(incident, "E_i")
    energy = np.asarray(energy, dtype=float)
    if np.any(energy > incident):
        raise GridError(
            f"energy transfers reach {energy.max():g} meV, but a neutron of E_i = {incident:g} meV cannot lose more "
            "than it has; take a higher E_i or end the grid there"
        )
    return np.asarray(incident - energy)


def incident_energy(final: float, energy: ArrayLike) -> Array:
    """E_i = E_f + E of indirect geometry, meV; `GridError` where a neutron would have to gain more than E_f."""
    check_fixed_energy(final, "E_f")
    energy = np.asarray(energy, dtype=float)
    if np.any(energy < -final):
        raise GridError(
            f"energy transfers go down to {energy.min():g} meV, but a neutron that ends with E_f = {final:g} meV "
            "cannot have gained more than that; start the grid there"
        )
    return np.asarray(final + energy)


def check_fixed_energy(value: float, name: str) -> float:
    """An incident or final energy as a float; `GridError` unless it is finite and positive."""
    if not (np.isfinite(value) and value > 0):
        raise GridError(f"{name} is {value} meV; it must be finite and positive")
    return float(value)


def q_limits(energy: ArrayLike, angles: Angles, *, incident: float | None = None, final: float | None = None) -> Array:
    """Smallest and largest |Q| that each range of angles reaches.

    Parameters
    ----------
    energy
        E, meV, any shape.
    angles
        Ranges of 2θ covered by detectors, degrees; a bank at one angle is a range of no width.
    incident, final
        E_i of direct or E_f of indirect geometry, meV: one of the two.

    Returns
    -------
    Array
        Shape (n_ranges, 2) + that of ``energy``, 1/Å; NaN where no neutron has the energy for such a transfer.
    """
    energy = np.asarray(energy, dtype=float)
    if incident is not None and final is None:
        check_fixed_energy(incident, "E_i")
        before, after = np.full_like(energy, incident), incident - energy
    elif final is not None and incident is None:
        check_fixed_energy(final, "E_f")
        before, after = final + energy, np.full_like(energy, final)
    else:
        raise GridError("give either the incident energy (direct geometry) or the final one (indirect geometry)")
    impossible = (before < 0) | (after < 0)
    before, after = np.maximum(before, 0.0), np.maximum(after, 0.0)
    limits = np.stack([[momentum_transfer(before, after, edge) for edge in pair] for pair in check_angles(angles)])
    limits[..., impossible] = np.nan
    return limits


def is_reached(
    q: ArrayLike, energy: ArrayLike, angles: Angles, *, incident: float | None = None, final: float | None = None
) -> NDArray[np.bool_]:
    """Whether some detector sees a neutron that transfers |Q| and E; arguments as those of `q_limits`.

    Parameters
    ----------
    q
        |Q|, 1/Å, of a shape that goes together with that of ``energy``.
    """
    limits = q_limits(energy, angles, incident=incident, final=final)
    inside = [(low <= np.asarray(q)) & (np.asarray(q) <= high) for low, high in limits]
    return np.asarray(np.any(inside, axis=0))


def reached_bins(
    q_edges: Array,
    energy_edges: Array,
    angles: Angles,
    *,
    incident: float | None = None,
    final: float | None = None,
) -> NDArray[np.bool_]:
    """Which bins of a map are reached: at the energy of the bin's centre, some |Q| of the bin is.

    Returns
    -------
    NDArray
        Shape (n_q, n_energy).
    """
    limits = q_limits(centres(energy_edges), angles, incident=incident, final=final)
    low, high = q_edges[:-1, None], q_edges[1:, None]
    return np.asarray(np.any([(nearest < high) & (farthest >= low) for nearest, farthest in limits], axis=0))


def check_angles(angles: Angles) -> Angles:
    """Ranges of 2θ; `GridError` unless each goes up, from 0 to 180 degrees."""
    for pair in angles:
        if len(pair) != 2 or not 0 <= pair[0] <= pair[1] <= 180:
            raise GridError(f"angles {pair} are no range of 2θ: two numbers of degrees, from 0 to 180, the lower first")
    if not angles:
        raise GridError("there are no detectors: give at least one range of 2θ, in degrees")
    return angles
