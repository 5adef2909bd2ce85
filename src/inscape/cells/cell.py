"""A cell: lattice, positions and species, checked; what no crystal can be is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from ase.geometry import minkowski_reduce
from ase.neighborlist import primitive_neighbor_list
from numpy.typing import ArrayLike

from inscape.cells.isotopes import ISOTOPES, FloatArray, IntArray, hydrogen_isotopes, isotope_masses
from inscape.errors import StructureError

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_INPUT_ATOMS = 2000
"""Most atoms of a cell whose primitive cell is looked for."""

MIN_DISTANCE = 0.5
"""Least distance of two atoms, periodic images included, Å."""

VOLUME_PER_ATOM = (0.5, 1000.0)
"""Least and largest volume of a cell per atom, Å³."""

MAX_LENGTH = 1e4
"""Longest basis vector, Å, and largest fractional coordinate."""


@dataclass(frozen=True, eq=False)
class Cell:
    """A periodic cell, primitive or not.

    Parameters
    ----------
    lattice
        Rows are the basis vectors, shape (3, 3), Å.
    positions
        Fractional positions, shape (n, 3).
    numbers
        Atomic numbers, shape (n,).
    masses
        Masses, shape (n,), u.
    isotopes
        Mass numbers, shape (n,), 0 for natural abundance.
    """

    lattice: FloatArray
    positions: FloatArray
    numbers: IntArray
    masses: FloatArray
    isotopes: IntArray


def checked_cell(
    lattice: ArrayLike,
    positions: ArrayLike,
    numbers: ArrayLike,
    *,
    masses: ArrayLike | None = None,
    isotopes: Iterable[int] | None = None,
) -> Cell:
    """A cell whose numbers make sense, positions wrapped into [0, 1).

    Masses that are left out are the natural ones, or those of `isotopes`; a hydrogen atom of mass 2 or 3 counts as
    isotope 2 or 3 where `isotopes` is left out.

    Raises
    ------
    StructureError
        Wrong shapes, no atoms or too many, unknown elements, no volume or an absurd one, numbers that are not finite,
        atoms closer than `MIN_DISTANCE`, masses that do not belong to the isotopes.
    """
    cell, x, z = _array(lattice, "the lattice"), _array(positions, "positions"), _array(numbers, "atomic numbers")
    _check_shapes(cell, x, z)
    _check_numbers(z)
    _check_volume(cell, len(x))
    _check_positions(x)
    x, z_int = wrapped(x), z.astype(np.int64)
    u, mass_numbers = _masses_and_isotopes(z_int, masses, isotopes)
    _check_distances(cell, x)
    return Cell(cell, x, z_int, u, mass_numbers)


def species(symbols: Iterable[str]) -> tuple[IntArray, IntArray]:
    """Atomic and mass numbers of chemical symbols, ``D`` and ``T`` among them; `StructureError` for an unknown one."""
    pairs = []
    for symbol in symbols:
        if symbol in ISOTOPES:
            pairs.append(ISOTOPES[symbol][:2])
        elif atomic_numbers.get(symbol, 0) > 0:
            pairs.append((atomic_numbers[symbol], 0))
        else:
            raise StructureError(f"unknown element {symbol!r}: name every atom by its chemical symbol")
    array = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def wrapped(positions: FloatArray) -> FloatArray:
    """Fractional positions in [0, 1)."""
    inside = positions - np.floor(positions)
    return np.where(inside >= 1.0, 0.0, inside)


def one_line(error: BaseException) -> str:
    """Type and message of an exception on one line."""
    text = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    return text if len(text) <= 160 else text[:157] + "..."


def _array(values: ArrayLike, name: str) -> FloatArray:
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StructureError(f"{name} cannot be read as an array ({one_line(error)}): give numbers") from error


def _check_shapes(lattice: FloatArray, positions: FloatArray, numbers: FloatArray) -> None:
    if lattice.shape != (3, 3):
        raise StructureError(f"the lattice has shape {lattice.shape}, expected (3, 3): give three basis vectors in Å")
    if positions.size == 0:
        raise StructureError("the cell holds no atoms, expected at least one: give a crystal structure with atoms")
    if positions.ndim != 2 or positions.shape[1] != 3 or numbers.shape != positions.shape[:1]:
        raise StructureError(
            f"positions have shape {positions.shape} and atomic numbers {numbers.shape}, expected (n, 3) and (n,): "
            "give one row an atom"
        )
    if len(positions) > MAX_INPUT_ATOMS:
        raise StructureError(
            f"the cell has {len(positions)} atoms, at most {MAX_INPUT_ATOMS} are allowed: give a smaller cell of it"
        )


def _check_numbers(numbers: FloatArray) -> None:
    known = np.isin(numbers, np.arange(1, len(chemical_symbols)))
    if not known.all():
        raise StructureError(
            f"unknown element: atomic number {numbers[~known][0]:g}, expected 1 to {len(chemical_symbols) - 1}: "
            "name every atom by its chemical symbol"
        )


def _check_volume(lattice: FloatArray, n_atoms: int) -> None:
    if not np.all(np.abs(lattice) < MAX_LENGTH):
        raise StructureError(f"the lattice is not finite or exceeds {MAX_LENGTH:g} Å: give basis vectors in Å")
    if not lattice.any():
        raise StructureError("no cell: the lattice is zero, expected three basis vectors: give a crystal, no molecule")
    lengths = np.linalg.norm(lattice, axis=1)
    volume = float(abs(np.linalg.det(lattice)))
    if volume <= 1e-8 * float(np.prod(lengths)):
        raise StructureError(
            f"the cell has zero volume: basis vectors of {_row(lengths)} Å lie in one plane, expected three that span "
            "a volume: correct the cell"
        )
    low, high = VOLUME_PER_ATOM
    if not low <= volume / n_atoms <= high:
        raise StructureError(
            f"the cell has {volume / n_atoms:.3g} Å³ per atom, expected {low:g} to {high:g}: check the unit of the "
            "lattice (Å), the number of atoms and empty space around a molecule"
        )


def _check_positions(positions: FloatArray) -> None:
    sane = (np.abs(positions) < MAX_LENGTH).all(axis=1)  # False for NaN as well
    if not sane.all():
        atom = int(np.argmin(sane))
        raise StructureError(
            f"the position of atom {atom + 1} is {_row(positions[atom])}, expected finite fractional coordinates: "
            "correct it"
        )


def _check_distances(lattice: FloatArray, positions: FloatArray) -> None:
    """Refuse atoms closer than `MIN_DISTANCE` to another or to an image of themselves."""
    cell, _ = minkowski_reduce(lattice)  # type: ignore[no-untyped-call]
    shortest = float(np.linalg.norm(cell, axis=1).min())
    if shortest < MIN_DISTANCE:
        raise StructureError(
            f"every atom is {shortest:.3g} Å from its own periodic image, expected {MIN_DISTANCE} Å or more: "
            "check the lattice and its unit (Å)"
        )
    cartesian = wrapped(positions @ lattice @ np.linalg.inv(cell)) @ cell
    pairs = primitive_neighbor_list("ijd", (True, True, True), cell, cartesian, MIN_DISTANCE)  # type: ignore[no-untyped-call]
    i, j, distance = pairs
    if len(distance):
        pair = int(np.argmin(distance))
        raise StructureError(
            f"atoms {i[pair] + 1} and {j[pair] + 1} are {distance[pair]:.3g} Å apart, expected {MIN_DISTANCE} Å or "
            "more: remove doubled atoms and check the unit of the lattice (Å)"
        )


def _masses_and_isotopes(
    numbers: IntArray, masses: ArrayLike | None, isotopes: Iterable[int] | None
) -> tuple[FloatArray, IntArray]:
    """Masses, u, and mass numbers of all atoms, each filled in from the other where it is left out."""
    given = np.zeros(len(numbers)) if isotopes is None else _array(list(isotopes), "isotopes")
    mass_numbers = np.asarray(np.nan_to_num(given), dtype=np.int64)
    count = mass_numbers.size if masses is None else np.size(masses)
    if mass_numbers.shape != numbers.shape or count != len(numbers):
        raise StructureError(
            f"got {len(numbers)} atoms, {count} masses and {mass_numbers.size} isotopes: give one of each an atom"
        )
    values = isotope_masses(numbers, mass_numbers) if masses is None else _array(masses, "masses").reshape(-1)
    if not (np.isfinite(values) & (values > 0)).all():
        raise StructureError("masses must be positive numbers in u: correct them, or leave them out for natural ones")
    if isotopes is None:
        mass_numbers = hydrogen_isotopes(numbers, values)
    wrong = (mass_numbers != 0) & (np.abs(values - mass_numbers) > 0.3)
    if wrong.any():
        atom = int(np.argmax(wrong))
        raise StructureError(
            f"atom {atom + 1} is isotope {mass_numbers[atom]} of {chemical_symbols[numbers[atom]]} but weighs "
            f"{values[atom]:.4g} u: correct the mass or the mass number"
        )
    return values, mass_numbers


def _row(values: FloatArray) -> str:
    return "(" + ", ".join(f"{v:.4g}" for v in values) + ")"
