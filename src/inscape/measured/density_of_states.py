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
from ase.formula import Formula
from numpy.typing import NDArray

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

FINE = 4000
"""Bins on which two densities of states are compared."""


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
    given = _Given(data, mass, kelvin, elastic, top, multiple_scattering)
    grid, tail = _grid(given.edges, top, beyond)
    dos = np.where(centres(grid) < top, np.minimum(centres(grid), top / 3) ** 2, 0.0)
    dos *= AREA / np.sum(dos * np.diff(grid))
    changes: list[float] = []
    while not changes or (changes[-1] >= STAYS and len(changes) < MOST_ROUNDS):
        single, many, displacement = given.scattering(dos, grid)
        scale = given.scale(single + many)
        found, squares = (_on(grid, values) for values in given.unfold(scale, many, displacement))
        new = _joined(np.maximum(np.nan_to_num(found), 0.0), grid, elastic, top, tail)
        area = float(np.sum(new * np.diff(grid)))
        if not area > 0:
            raise DataError("nothing is left of the map after the correction for many phonons; choose other limits")
        new *= AREA / area
        changes.append(float(metrics.wasserstein(new, dos, grid)))
        dos, variance = new, squares * (AREA / area) ** 2
    attributes = {k: v for k, v in measured.attrs.items() if k not in ("kind", "units")} | {"temperature_K": kelvin}
    spectra = data[["intensity", "variance", "q_edges", "energy_edges"]]
    for name, array in (("one_phonon", single), ("many_phonons", many)):
        spectra[name] = (("q", "energy"), np.where(given.use, scale * array, np.nan), dict(data["intensity"].attrs))
    return FoundDos(
        make_measured(dos, variance, energy_edges=grid, units="1/meV", attributes=attributes),
        spectra,
        np.array(changes),
        float(np.sum(many[given.use]) / np.sum((single + many)[given.use])),
        float(displacement[0]),
        changes[-1] < STAYS,
    )


class _Given:
    """What is measured and where it is used, and one step from a density of states to scattering and back."""

    def __init__(
        self, data: xr.Dataset, mass: float, kelvin: float, elastic: float, top: float, multiple_scattering: float
    ) -> None:
        self.masses, self.kelvin, self.multiple_scattering = np.array([mass]), kelvin, multiple_scattering
        self.edges, self.q = data["energy_edges"].values, data["q"].values
        self.energy = centres(self.edges)
        self.seen = np.isfinite(data["intensity"].values)
        self.within = (self.energy > elastic) & (self.energy < top) & self.seen.any(axis=0)
        if self.within.sum() < 2 * NEAR:
            raise DataError(
                f"only {int(self.within.sum())} bins of energy between {elastic:g} and {top:g} meV hold data; the map "
                f"has loss up to {self.edges[-1]:g} meV: choose other limits"
            )
        self.use = self.seen & self.within
        self.intensity = np.where(self.use, data["intensity"].values, 0.0)
        self.variance = np.where(self.use, data["variance"].values, 0.0)

    def scattering(self, dos: Array, grid: Array) -> tuple[Array, Array, Array]:
        """S of one phonon and of many, multiple scattering included, shape (n_q, n_energy), and ⟨u²⟩, shape (1,)."""
        displacement = mean_square_displacements(dos[None], grid, self.masses, self.kelvin)
        order = max(2, orders_needed(float(self.q[-1] ** 2 * displacement[0] / 3), TOLERANCE))
        orders = phonon_orders_of_density_of_states(dos[None], grid, self.masses, self.edges, self.kelvin, order=order)
        single, *several = orders.on_grid(self.q, np.ones(1))
        many = np.sum(several, axis=0)
        mean = (many * self.seen).sum(axis=0) / np.maximum(self.seen.sum(axis=0), 1)
        return single, many + self.multiple_scattering * mean, displacement

    def scale(self, total: Array) -> float:
        """Measured intensity over that of scattering by all numbers of phonons."""
        found = float(self.intensity.sum() / np.sum(total[self.use]))
        if not found > 0:
            raise DataError("the map has no positive intensity between these limits")
        return found

    def unfold(self, scale: float, many: Array, displacement: Array) -> tuple[Array, Array]:
        """g from what is measured and many phonons, and its variance, shape (n_energy,); NaN where nothing is used."""
        flat = np.ones((1, len(self.energy)))
        reduced = self_part(flat, self.masses, np.ones(1), self.q, displacement)
        factor = np.sum(scale * to_scattering(reduced, self.energy, self.kelvin) * self.use, axis=0)
        factor = np.where(self.within, factor, np.nan)
        single = (self.intensity - scale * many * self.use).sum(axis=0)
        return single / factor, self.variance.sum(axis=0) / factor**2


def _on(grid: Array, values: Array) -> Array:
    """Values on the bins of the map, on those of the density of states that they are; NaN above."""
    count = min(len(grid) - 1, len(values))
    return np.append(values[:count], np.full(len(grid) - 1 - count, np.nan))


def distance(dos: xr.Dataset, other: xr.Dataset, top: float = np.inf) -> float:
    """Wasserstein-1 distance, meV, of two densities of states, each of area 1, of what lies below ``top``."""
    grids = [x["energy_edges"].values for x in (dos, other)]
    edges = np.linspace(min(g[0] for g in grids), min(top, max(g[-1] for g in grids)), FINE + 1)
    a, b = (
        rebin(np.nan_to_num(x["intensity"].values), grid, edges) for x, grid in zip((dos, other), grids, strict=True)
    )
    return float(metrics.wasserstein(a, b, edges))


def mean_mass(formula: str) -> float:
    """The mass, u, of the atoms of a formula for scattering by all of them: 1/M is the mean of 1/M_d by cross section.

    Raises
    ------
    DataError
        No formula, or an element without a tabulated cross section.
    """
    try:
        atoms = Formula(formula, strict=True).count()
    except ValueError as error:
        raise DataError(f"{formula!r} is no chemical formula; expected one such as V or Al2O3") from error
    total = share = 0.0
    for symbol, count in atoms.items():
        element = periodictable.elements.symbol(symbol)
        neutron = element.neutron
        if neutron is None or neutron.coherent is None:
            raise DataError(f"no cross section is tabulated for {symbol}; give the mass instead")
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
    """The part of a map with energy loss, in a range of |Q|, on bins from E = 0 on."""
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
    q = q_edges[rows.start : rows.stop + 1]
    values, variance = (measured[name].values[rows, first:] for name in ("intensity", "variance"))
    new = edges[first:].copy()
    if new[0] > 1e-6:  # nothing was measured down to 0
        new = np.append(0.0, new)
        values, variance = (np.pad(x, ((0, 0), (1, 0)), constant_values=np.nan) for x in (values, variance))
    new[0] = 0.0
    units = str(measured["intensity"].attrs["units"])
    return make_measured(values, variance, energy_edges=new, q_edges=q, units=units)


def _grid(edges: Array, top: float, beyond: xr.Dataset | None) -> tuple[Array, Array | None]:
    """Bins of the density of states, from 0, and what is joined on, on these bins."""
    grid = edges[: int(np.searchsorted(edges, top - 1e-6)) + 1]
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
