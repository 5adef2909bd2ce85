"""Thermal properties of a dataset of `inscape.results`: everything that follows from its density of states.

A density of states that was cut at a top energy is completed first, so that where the cut was changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from ase.data import atomic_numbers
from numpy.typing import ArrayLike, NDArray

from inscape.cells.isotopes import ISOTOPES, NATURAL, isotope_masses
from inscape.errors import DataError
from inscape.scattering import mean_square_displacements
from inscape.thermodynamics import debye_temperature, entropy, free_energy, heat_capacity, internal_energy

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]

PER_KELVIN, PER_MOLE = "J mol⁻¹ K⁻¹", "J mol⁻¹"

FUNCTIONS: dict[str, Callable[[Array, Array, ArrayLike], Array]] = {
    "heat_capacity": heat_capacity,
    "entropy": entropy,
    "internal_energy": internal_energy,
    "free_energy": free_energy,
}
"""What comes from the density of states as a whole."""

MEANINGS = {
    "heat_capacity": (PER_KELVIN, "heat capacity at constant volume per mole of atoms"),
    "entropy": (PER_KELVIN, "entropy per mole of atoms"),
    "internal_energy": (PER_MOLE, "internal energy per mole of atoms, zero-point energy included"),
    "free_energy": (PER_MOLE, "Helmholtz free energy per mole of atoms, zero-point energy included"),
    "zero_point_energy": (PER_MOLE, "zero-point energy per mole of atoms"),
    "debye_temperature": ("K", "Debye temperature of the heat capacity"),
    "displacement": ("Å²", "mean-square displacement of each atom, sum of three directions"),
}
"""Units and long names."""

DIMENSIONS = ("temperature", "atom")

STEP = 0.01
"""Share by which energies are stretched to see what that changes."""

COLUMNS = {
    "heat_capacity": "heat_capacity_J_per_mol_K",
    "entropy": "entropy_J_per_mol_K",
    "internal_energy": "internal_energy_J_per_mol",
    "free_energy": "free_energy_J_per_mol",
    "debye_temperature": "debye_temperature_K",
}
"""Names of the columns of `as_table`, units in them."""


def thermal_properties(dataset: xr.Dataset, temperatures: ArrayLike) -> xr.Dataset:
    """Thermodynamic functions and displacements of the atoms; harmonic, at constant volume, phonons alone.

    Parameters
    ----------
    dataset
        Of `inscape.results`, with a density of states.
    temperatures
        One or several, K, 0 or more.

    Returns
    -------
    xr.Dataset
        Dimension (temperature), per mole of atoms, units in the attributes: ``heat_capacity`` and ``entropy``,
        J mol⁻¹ K⁻¹; ``internal_energy`` U and ``free_energy`` F = U − T S, J mol⁻¹, U(0) = F(0) being
        ``zero_point_energy``, which has no dimension; ``debye_temperature``, K, NaN where the heat capacity does not
        tell it; ``displacement``, dimensions (temperature, atom), ⟨u²⟩ of each atom, Å². Of direct predictions each has
        an error beside it, ``heat_capacity_error`` and so on, that holds nine times out of ten: what it changes by
        when all energies are stretched by the share that the dataset's ``stretch`` has for it and the temperature.

    Raises
    ------
    DataError
        There is no density of states.
    GridError
        A temperature below 0 or that is not finite.
    """
    if "dos" not in dataset:
        raise DataError("there is no density of states, from which thermodynamics follow; predict with the kind 'dos'")
    kelvin = np.atleast_1d(np.asarray(temperatures, dtype=float)).ravel()
    found = xr.Dataset(coords={"temperature": ("temperature", kelvin, {"units": "K", "long_name": "temperature"})})
    arguments = complete_dos(dataset), complete_partial_dos(dataset), atom_masses(dataset), kelvin
    values = values_of(*arguments)
    for name, value in values.items():
        unit, words = MEANINGS[name]
        found[name] = (DIMENSIONS[: value.ndim], value, {"units": unit, "long_name": words})
    if "stretch" in dataset:
        slope = slopes_of(*arguments)
        for name, value in values.items():
            words = f"nine times out of ten the {MEANINGS[name][1]} is off by less"
            dims = DIMENSIONS[: value.ndim]
            share = stretch_at(dataset, name, kelvin if value.ndim else 0.0)
            error = slope[name] * share.reshape(share.shape + (1,) * (value.ndim - share.ndim))
            found[f"{name}_error"] = (dims, error, {"units": MEANINGS[name][0], "long_name": words})
    found.coords["atom_symbol"] = dataset["atom_symbol"]
    found.attrs = {k: dataset.attrs[k] for k in ("formula", "space_group", "engine") if k in dataset.attrs}
    return found


def stretch_at(dataset: xr.Dataset, name: str, kelvin: ArrayLike) -> Array:
    """By what share energies may be wrong as far as a quantity shows it, of the shape of the temperatures, K."""
    known = dataset["stretch"].sel(quantity=name)
    return np.asarray(np.interp(np.asarray(kelvin, dtype=float), known["stretch_temperature"].values, known.values))


def values_of(
    total: tuple[Array, Array], partial: tuple[Array, Array], masses: Array, kelvin: Array, factor: float = 1.0
) -> dict[str, Array]:
    """All of `MEANINGS` from densities of states and their bin edges, all energies multiplied by a factor.

    Parameters
    ----------
    total, partial
        Of the crystal, shape (n,), and of its atoms, (n_atoms, n), 1/meV; edges, shape (n + 1,), meV.
    masses
        Shape (n_atoms,), u.
    kelvin
        Temperatures, shape (n_temperatures,), K.
    """
    dos, edges = total[0], factor * total[1]
    found = {name: function(dos, edges, kelvin) for name, function in FUNCTIONS.items()}
    found["zero_point_energy"] = internal_energy(dos, edges, 0.0)
    found["debye_temperature"] = debye_temperature(found["heat_capacity"], kelvin)
    rows = [mean_square_displacements(partial[0] / factor, factor * partial[1], masses, t) for t in kelvin]
    return found | {"displacement": np.array(rows)}


def slopes_of(
    total: tuple[Array, Array], partial: tuple[Array, Array], masses: Array, kelvin: Array
) -> dict[str, Array]:
    """What all of `MEANINGS` change by where all energies are stretched, over the share: |∂X/∂ ln E|."""
    low, high = (values_of(total, partial, masses, kelvin, 1 + step) for step in (-STEP, STEP))
    return {name: np.abs(high[name] - low[name]) / (2 * STEP) for name in low}


def complete_dos(dataset: xr.Dataset) -> tuple[Array, Array]:
    """The density of states up to the highest mode, (n,), 1/meV, and its bin edges, (n + 1,), meV."""
    dos, energy = ("dos_complete", "energy_complete") if "dos_complete" in dataset else ("dos", "energy")
    return dataset[dos].values, dataset[f"{energy}_edges"].values


def complete_partial_dos(dataset: xr.Dataset) -> tuple[Array, Array]:
    """That of each atom up to the highest mode, shape (n_atoms, n), 1/meV, and its bin edges, shape (n + 1,), meV.

    The file of a density of states that was cut holds only the sum of the atoms above. It is shared among them in
    proportion to what each lacks of its area of 3: areas and sum are then right, and only how shares change with energy
    above the cut is not known. Displacements hardly feel it, for g is divided by E there.
    """
    partial = dataset["partial_dos"].values
    if "dos_complete" not in dataset:
        return partial, dataset["energy_edges"].values
    complete, edges = complete_dos(dataset)
    lacking = np.maximum(3 - partial @ np.diff(dataset["energy_edges"].values), 0.0)
    share = lacking / lacking.sum() if lacking.sum() > 0 else np.full(len(partial), 1 / len(partial))
    return np.concatenate([partial, share[:, None] * complete[partial.shape[1] :]], axis=1), edges


def atom_masses(dataset: xr.Dataset) -> Array:
    """Masses of the atoms, shape (n_atoms,), u; those of their symbols in files older than ``atom_mass``."""
    if "atom_mass" in dataset.coords:
        return np.asarray(dataset["atom_mass"].values, dtype=float)
    pairs = [ISOTOPES[s][:2] if s in ISOTOPES else (atomic_numbers[s], NATURAL) for s in _symbols(dataset)]
    numbers, isotopes = np.array(pairs, dtype=np.int64).T
    return isotope_masses(numbers, isotopes)


def as_table(properties: xr.Dataset) -> pd.DataFrame:
    """What `thermal_properties` gives, one temperature a row; names of columns end in their unit, or in ``_error``."""
    import pandas as pd

    columns = {}
    for name, column in COLUMNS.items():
        columns[column] = properties[name].values
        if f"{name}_error" in properties:
            columns[f"{column}_error"] = properties[f"{name}_error"].values
    for index, symbol in enumerate(_symbols(properties)):
        columns[f"u2_{symbol}{index + 1}_angstrom2"] = properties["displacement"].values[:, index]
        if "displacement_error" in properties:
            columns[f"u2_{symbol}{index + 1}_angstrom2_error"] = properties["displacement_error"].values[:, index]
    return pd.DataFrame(columns, index=pd.Index(properties["temperature"].values, name="temperature_K"))


def _symbols(dataset: xr.Dataset) -> list[str]:
    return [str(symbol) for symbol in dataset["atom_symbol"].values]
