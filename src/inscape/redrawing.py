"""A result at another temperature or through another instrument, from its file alone: no modes, no models.

The Bose factor is exact, bin by bin. The Debye–Waller factors of the atoms change as their densities of states say, and
each bin by that of the atoms that move at its energy: for the incoherent part that is the isotropic approximation, for
interference between atoms an approximation. A monatomic cubic crystal comes out exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from inscape.errors import DataError
from inscape.properties import atom_masses, complete_partial_dos
from inscape.results import SEEN, UNCERTAIN, Prediction
from inscape.scattering import (
    Observation,
    Setting,
    check_temperature,
    chosen_instrument,
    mean_square_displacements,
    phonon_orders_of_density_of_states,
    scattering_lengths,
    self_part,
    to_scattering,
)
from inscape.scattering.instruments import Instrument
from inscape.spectra import centres
from inscape.structures import Crystal

Array = NDArray[np.floating]

PARTS = {
    "powder_coherent": "coherent", "powder_incoherent": "incoherent", "crystal": "coherent",
    "crystal_incoherent": "incoherent",
}  # fmt: skip
"""Variables that change with temperature, and the part of the scattering that each is."""

OF_INSTRUMENTS = ("multiphonon_order", *Setting("", "direct", 1.0, ((0.0, 180.0),)).attributes())
"""Attributes that belong to what was seen, not to the crystal."""

OF_DOS = ("dos", "partial_dos", "dos_complete", "dos_lower", "dos_upper")
"""Variables of the kind dos."""


def redraw(
    result: Prediction,
    crystal: Crystal,
    *,
    temperature: float | None = None,
    kinds: Sequence[str] | None = None,
    instrument: str | Instrument | None = None,
    ei: float | None = None,
    ef: float | None = None,
    multiphonon: bool | int = False,
) -> Prediction:
    """A result as it would be with other settings; at its own temperature its spectra are unchanged.

    Parameters
    ----------
    result
        With a density of states.
    crystal
        Whose result it is, with its isotopes.
    temperature
        Of the maps, K; that of the result unless given.
    kinds
        Which to keep; all unless given.
    instrument, ei, ef, multiphonon
        As of `inscape.settings.SpectraSettings`; what the result holds of an instrument and of many phonons is
        replaced.

    Raises
    ------
    DataError
        There is no density of states, or the crystal has other atoms.
    GridError, InstrumentError
        A temperature or instrument that makes no sense.
    """
    data = result.dataset
    if "partial_dos" not in data:
        raise DataError("the result holds no density of states, from which other temperatures follow: make it with dos")
    if tuple(str(symbol) for symbol in data["atom_symbol"].values) != crystal.symbols:
        raise DataError(f"the result is of {data.attrs['formula']} and the crystal is {crystal!r}: give its own")
    before = float(data.attrs["temperature_K"])
    after = before if temperature is None else check_temperature(temperature)
    observation = Observation(chosen_instrument(instrument, ei, ef), multiphonon)
    found = data.drop_vars([name for name in (*SEEN, *UNCERTAIN, "order", "bank") if name in data])
    found.attrs = {name: value for name, value in data.attrs.items() if name not in OF_INSTRUMENTS}
    found.attrs["temperature_K"] = after
    found = _warmed(found, crystal, before, after)
    found = _seen(found, crystal, observation, after)
    dropped = [kind for kind in result.kinds if kinds is not None and kind not in kinds]
    return Prediction(found.drop_vars([str(name) for name in found.data_vars if _kind(str(name)) in dropped]))


def _warmed(data: xr.Dataset, crystal: Crystal, before: float, after: float) -> xr.Dataset:
    """The dataset with its maps at another temperature."""
    if before == after:
        return data
    maps = {name: data[name] * _factor(data, crystal, name, before, after) for name in PARTS if name in data}
    found = data.assign(
        {name: map_.astype(data[name].dtype).assign_attrs(data[name].attrs) for name, map_ in maps.items()}
    )
    if "powder" in data:
        whole = found["powder_coherent"] + found["powder_incoherent"]
        found["powder"] = whole.assign_attrs(data["powder"].attrs)
    return found


def _factor(data: xr.Dataset, crystal: Crystal, name: str, before: float, after: float) -> xr.DataArray:
    """By what a map changes from one temperature to another, on its bins."""
    partial, masses = data["partial_dos"].values, atom_masses(data)
    square = getattr(scattering_lengths(crystal), f"{PARTS[name]}_square")
    dims, moduli = _moduli(data, data[name].dims)
    energy = centres(data["energy_edges"].values)
    new, old = (
        to_scattering(self_part(partial, masses, square, moduli, _displacements(data, kelvin)), energy, kelvin)
        for kelvin in (after, before)
    )
    ratio = np.divide(new, old, out=np.ones_like(new), where=old > 0)
    return xr.DataArray(ratio, dims=(*dims, "energy"))


def _displacements(data: xr.Dataset, kelvin: float) -> Array:
    """⟨u²⟩ of each atom, shape (n_atoms,), Å²."""
    return mean_square_displacements(*complete_partial_dos(data), atom_masses(data), kelvin)


def _moduli(data: xr.Dataset, dims: Sequence[Any]) -> tuple[tuple[str, ...], Array]:
    """|Q| of the bins of a map over all its axes but energy, 1/Å, and these axes."""
    if "q" in dims:
        return ("q",), centres(data["q_edges"].values)
    u, v = np.asarray(data.attrs["plane_lengths_per_angstrom"], dtype=float)
    cosine = np.cos(np.deg2rad(float(data.attrs["plane_angle_degree"])))
    h, k = u * centres(data["h_edges"].values)[:, None], v * centres(data["k_edges"].values)
    return ("h", "k"), np.sqrt(h**2 + k**2 + 2 * h * k * cosine)


def _seen(data: xr.Dataset, crystal: Crystal, observation: Observation, kelvin: float) -> xr.Dataset:
    """The dataset with what the observation asks for."""
    edges = data["energy_edges"].values
    has_powder = "powder" in data
    seen = observation.spectra(
        lambda: phonon_orders_of_density_of_states(
            *complete_partial_dos(data), atom_masses(data), edges, kelvin, order=1
        ),
        scattering_lengths(crystal),
        edges,
        data["q_edges"].values if has_powder else None,
        data["powder"].values if has_powder else None,
    )
    found = data.assign_coords({str(name): seen[name] for name in seen.coords})
    for name in seen.data_vars:
        dims, unit, words = SEEN[str(name)]
        found[str(name)] = (dims, seen[name].values, {"units": unit, "long_name": words})
    found.attrs |= seen.attrs
    return found


def _kind(name: str) -> str:
    """The kind of spectrum that a variable belongs to."""
    if name.startswith(("powder", "instrument_map")):
        return "powder"
    return "crystal" if name.startswith("crystal") else "dos" if name in OF_DOS else ""
