"""The phonon density of states in a powder map of an incoherent scatterer, or of one taken to be so in the mean.

Of one kind of atoms of mass M, S(Q,E) = A Σ_n S_n(Q,E), with S_n as in `inscape.scattering.multiphonon` and

    S_1(Q,E) = ħ²Q²/2M · e^{−2W(Q)} · g(E)/3E · (n(E,T) + 1),    ∫ g dE = 3.

Sums over |Q| of what is measured, minus scattering by many phonons, over the factor of g, are g. Many phonons, 2W and
A follow from g, so that all is repeated until g stays. Near the elastic line, where nothing can be measured, g ∝ E².
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import periodictable
import xarray as xr
from numpy.typing import NDArray
from pyparsing import ParseException

from inscape import metrics
from inscape.errors import DataError
from inscape.measured.container import DOS, MAP, check_measured, make_measured
from inscape.scattering import (
    check_temperature,
    mean_square_displacements,
    orders_needed,
    phonon_orders_of_density_of_states,
    self_part,
    to_scattering,
)
from inscape.spectra import centres, rebin

Array = NDArray[np.floating]

AREA = 3.0
"""Area of a density of states by atom."""

TOLERANCE = 1e-3
"""Numbers of phonons that hold less than this share of the recoil sum rule at the largest |Q| are left out."""

NEAR = 3
"""Bins beside the elastic line, or beside the end of the measured range, by which g ∝ E² or another g is joined."""

STAYS = 1e-3
"""A change of g by less than this Wasserstein-1 distance, meV, is none."""

MOST_ROUNDS = 100


@dataclass(frozen=True, eq=False)
class FoundDos:
    """A density of states and what it was found with.

    Parameters
    ----------
    dos
        Container of kind "density of states", 1/meV by atom, area 3; variances where something was measured, NaN
        where g ∝ E² or another density of states stands.
    spectra
        On the bins of the map with energy loss: ``intensity``, ``one_phonon``, ``many_phonons`` (multiple scattering
        included), each (q, energy), in the unit of the map; NaN where nothing was measured or used.
    changes
        Wasserstein-1 distance from one round to the next, meV.
    many_share
        Share of many phonons in the intensity that was used.
    square_displacement
        ⟨u²⟩ = 3⟨u_x²⟩, Å².
    converged
        Whether the last change is below `STAYS`.
    """

    dos: xr.Dataset
    spectra: xr.Dataset
    changes: Array
    many_share: float
    square_displacement: float
    converged: bool


def dos_from_map(
    measured: xr.Dataset,
    *,
    mass: float,
    temperature: float,
    elastic: float,
    top: float,
    q_range: tuple[float, float] | None = None,
    multiple_scattering: float = 0.0,
    beyond: xr.Dataset | None = None,
) -> FoundDos:
    """Extract the density of states from a powder map.

    Parameters
    ----------
    measured
        Powder map as from `inscape.read`; only energy loss is used.
    mass
        Of the atoms, u; see `mean_mass` for several kinds.
    temperature
        K.
    elastic
        Below this energy, meV, the elastic line covers everything and g ∝ E² is taken.
    top
        Above this energy, meV, there are no modes, or those of ``beyond``.
    q_range
        First and last |Q| that are used, 1/Å; all unless given.
    multiple_scattering
        Neutrons scattered more than once, as this factor times the mean over |Q| of scattering by many phonons.
    beyond
        A density of states, from a higher incident energy, whose part above ``top`` is joined on.

    Returns
    -------
    FoundDos
        Its area is 3. From a map made by the formulas above, it is the density of states that the map was made from.

    Raises
    ------
    DataError
        Limits of energy or |Q| that leave nothing, an impossible mass, or no intensity between them.
    GridError
        An impossible temperature.
    """
    measured, kelvin = check_measured(measured, MAP), check_temperature(temperature)
    _check(mass, elastic, top, multiple_scattering)
    data = _loss(measured, q_range)
    edges = data["energy_edges"].values
    energy, q = centres(edges), data["q"].values
    within = (energy > elastic) & (energy < top) & data["intensity"].notnull().any("q").values
    if within.sum() < 2 * NEAR:
        raise DataError(
            f"only {int(within.sum())} bins of energy between {elastic:g} and {top:g} meV hold data; the map has loss "
            f"up to {edges[-1]:g} meV: choose other limits"
        )
    use = data["intensity"].notnull().values & within
    intensity = np.where(use, data["intensity"].values, 0.0)
    variance = np.where(use, data["variance"].values, 0.0)
    grid, tail = _grid(edges, top, beyond)
    masses, one = np.array([mass]), np.ones(1)
    dos: Array = _normalised(np.where(centres(grid) < top, np.minimum(centres(grid), top / 3) ** 2, 0.0), grid)
    errors: Array = np.zeros_like(dos)
    changes: list[float] = []
    count = min(len(grid), len(edges)) - 1
    for _ in range(MOST_ROUNDS):
        displacement = mean_square_displacements(dos[None], grid, masses, kelvin)
        order = max(2, orders_needed(float(q[-1] ** 2 * displacement[0] / 3), TOLERANCE))
        orders = phonon_orders_of_density_of_states(dos[None], grid, masses, edges, kelvin, order=order)
        single, *several = orders.on_grid(q, one)
        many = np.sum(several, axis=0)
        many = many + multiple_scattering * _mean_where(many, data["intensity"].notnull().values)
        scale = intensity.sum() / np.sum((single + many) * use)
        if not scale > 0:
            raise DataError("the map has no positive intensity between these limits")
        flat = np.ones((1, len(edges) - 1))
        factor = to_scattering(self_part(flat, masses, one, q, displacement), energy, kelvin) * use * scale
        total = factor.sum(axis=0)
        measured_dos = (intensity - scale * many * use).sum(axis=0) / np.where(within, total, 1.0)
        squares = variance.sum(axis=0) / np.where(within, total, 1.0) ** 2
        new = np.zeros(len(grid) - 1)
        new[:count] = np.where(within, measured_dos, 0.0)[:count]
        new = _joined(np.maximum(new, 0.0), grid, elastic, top, tail)
        area = float(np.sum(new * np.diff(grid)))
        if not area > 0:
            raise DataError("nothing is left of the map after the correction for many phonons; choose other limits")
        new *= AREA / area
        errors = np.full(len(grid) - 1, np.nan)
        errors[:count] = np.where(within, squares, np.nan)[:count] * (AREA / area) ** 2
        changes.append(float(metrics.wasserstein(new / AREA, dos / AREA, grid)))
        dos = new
        if changes[-1] < STAYS:
            break
    attributes = {**{k: v for k, v in measured.attrs.items() if k not in ("kind", "units")}, "temperature_K": kelvin}
    spectra = data[["intensity", "variance", "q_edges", "energy_edges"]]
    for name, array in (("one_phonon", single), ("many_phonons", many)):
        spectra[name] = (("q", "energy"), np.where(use, scale * array, np.nan), dict(data["intensity"].attrs))
    return FoundDos(
        make_measured(dos, errors, energy_edges=grid, units="1/meV", attributes=attributes),
        spectra,
        np.array(changes),
        float(np.sum(many * use) / np.sum((single + many) * use)),
        float(displacement[0]),
        changes[-1] < STAYS,
    )


def mean_mass(formula: str) -> float:
    """The mass, u, of the atoms of a formula for scattering by all of them: 1/M is the mean of 1/M_d by cross section.

    Raises
    ------
    DataError
        No formula, or an element without a tabulated cross section.
    """
    try:
        atoms = periodictable.formula(formula).atoms
    except (ValueError, ParseException) as error:
        raise DataError(f"{formula!r} is no chemical formula; expected one such as V or Al2O3") from error
    total = share = 0.0
    for element, count in atoms.items():
        neutron = element.neutron
        if neutron is None or neutron.coherent is None:
            raise DataError(f"no cross section is tabulated for {element}; give the mass instead")
        section = count * (float(neutron.coherent) + float(neutron.incoherent or 0.0))
        total, share = total + section, share + section / float(element.mass)
    if share <= 0:
        raise DataError(f"{formula!r} has no atoms that scatter; give the mass instead")
    return total / share


def _check(mass: float, elastic: float, top: float, multiple_scattering: float) -> None:
    if not (np.isfinite(mass) and 0.5 < mass < 400):
        raise DataError(f"mass is {mass} u; expected that of an atom")
    if not 0 < elastic < top < np.inf:
        raise DataError(
            f"the elastic line ends at {elastic:g} meV and modes at {top:g}; expected 0 < elastic < top, in meV"
        )
    if not 0 <= multiple_scattering < 100:
        raise DataError(f"multiple scattering is {multiple_scattering}; expected 0 or a positive factor")


def _loss(measured: xr.Dataset, q_range: tuple[float, float] | None) -> xr.Dataset:
    """The part of a map with energy loss, in a range of |Q|; a bin that holds E = 0 begins there."""
    edges, q_edges = measured["energy_edges"].values, measured["q_edges"].values
    first = int(np.searchsorted(edges, 1e-6, side="right")) - 1
    if first >= len(edges) - 1:
        raise DataError(f"the map ends at {edges[-1]:g} meV: it has no energy loss")
    first = max(first, 0)
    low, high = q_range or (float(q_edges[0]), float(q_edges[-1]))
    inside = np.flatnonzero((q_edges[:-1] >= low - 1e-6) & (q_edges[1:] <= high + 1e-6) & (q_edges[1:] > 0))
    if not len(inside):
        raise DataError(f"no bin of the map lies from {low:g} to {high:g} 1/Å; it goes to {q_edges[-1]:g}")
    rows = slice(int(inside[0]), int(inside[-1]) + 1)
    new, q = np.maximum(edges[first:], 0.0), q_edges[rows.start : rows.stop + 1]
    return make_measured(
        measured["intensity"].values[rows, first:],
        measured["variance"].values[rows, first:],
        energy_edges=new,
        q_edges=q,
        units=measured["intensity"].attrs["units"],
    )


def _grid(edges: Array, top: float, beyond: xr.Dataset | None) -> tuple[Array, Array | None]:
    """Bins of the density of states, from 0, and what is joined on, on these bins."""
    start = edges if edges[0] == 0 else np.append(0.0, edges)
    last = int(np.searchsorted(start, top - 1e-6))
    grid = start[: last + 1] if last < len(start) else start
    if beyond is None:
        return grid, None
    beyond = check_measured(beyond, DOS)
    more = beyond["energy_edges"].values
    grid = np.concatenate([grid, more[more > grid[-1] + 0.5 * (grid[-1] - grid[-2])]])
    return grid, rebin(np.maximum(np.nan_to_num(beyond["intensity"].values), 0.0), more, grid)


def _joined(dos: Array, grid: Array, elastic: float, top: float, tail: Array | None) -> Array:
    """Below the elastic line g ∝ E², above the range what is joined on, each continued from the bins beside it."""
    energy = centres(grid)
    first = int(np.argmax(energy > elastic))
    beside = slice(first, first + NEAR)
    dos = dos.copy()
    dos[:first] = energy[:first] ** 2 * np.mean(dos[beside] / energy[beside] ** 2)
    dos[energy >= top] = 0.0
    if tail is not None:
        above = energy >= top
        last = int(np.argmax(above)) if above.any() else len(energy)
        ends = slice(last - NEAR, last)
        if (joint := float(tail[ends].sum())) > 0:
            dos[last:] = tail[last:] * float(dos[ends].sum()) / joint
    return dos


def _mean_where(values: Array, where: NDArray[np.bool_]) -> Array:
    """Mean over |Q| of what is seen, shape (1, n_energy)."""
    return np.asarray((values * where).sum(axis=0, keepdims=True) / np.maximum(where.sum(axis=0, keepdims=True), 1))


def _normalised(dos: Array, grid: Array) -> Array:
    return np.asarray(dos * (AREA / np.sum(dos * np.diff(grid))))
