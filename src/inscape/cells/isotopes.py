"""Isotopes: their masses, and which one each atom of a cell is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from ase.data import atomic_masses, chemical_symbols
from numpy.typing import NDArray

from inscape.errors import StructureError

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.int64]

ISOTOPES: dict[str, tuple[int, int, float]] = {"D": (1, 2, 2.01410177812), "T": (1, 3, 3.01604928)}
"""Isotopes with a symbol of their own: atomic number, mass number and mass, u.

Masses: M. Wang et al., Chin. Phys. C 45, 030003 (2021).
"""

NATURAL = 0
"""Mass number that stands for the natural abundance of isotopes."""


def symbol_of(number: int, isotope: int) -> str:
    """Chemical symbol of an atom; ``D`` and ``T`` for the isotopes 2 and 3 of hydrogen."""
    named = (symbol for symbol, known in ISOTOPES.items() if known[:2] == (number, isotope))
    return next(named, chemical_symbols[number])


def isotope_masses(numbers: IntArray, isotopes: IntArray) -> FloatArray:
    """Masses of atoms, u, shape (n,): the natural mean for mass number 0, else that of the isotope, from periodictable.

    Raises
    ------
    StructureError
        An isotope that does not exist.
    """
    masses = {(number, isotope): mass for number, isotope, mass in ISOTOPES.values()}
    pairs = list(zip(numbers.tolist(), isotopes.tolist(), strict=True))
    for number, isotope in set(pairs) - set(masses):
        masses[number, isotope] = atomic_masses[number] if isotope == NATURAL else _tabulated_mass(number, isotope)
    return np.array([masses[pair] for pair in pairs], dtype=float)


def _tabulated_mass(number: int, isotope: int) -> float:
    """Mass of an isotope without a symbol of its own, u."""
    import periodictable  # takes a while to load, and few crystals name isotopes

    element = periodictable.elements[number]
    if isotope not in element.isotopes:
        raise StructureError(
            f"{element.symbol} has no isotope {isotope}, expected one of {element.isotopes}: "
            f"give one of them, or {NATURAL} for natural abundance"
        )
    return float(element[isotope].mass)


def hydrogen_isotopes(numbers: IntArray, masses: FloatArray) -> IntArray:
    """Mass number 2 or 3 for hydrogen atoms that weigh so much (within 0.1 u), otherwise 0, shape (n,)."""
    nearest = np.rint(masses)
    heavy = (numbers == 1) & np.isin(nearest, (2, 3)) & (np.abs(masses - nearest) < 0.1)
    return np.where(heavy, nearest, NATURAL).astype(np.int64)


def chosen_isotopes(numbers: IntArray, isotopes: IntArray, choice: Mapping[str | int, str | int]) -> IntArray:
    """Mass numbers of all atoms after a choice by element or atom, which overrules that by element.

    Parameters
    ----------
    numbers, isotopes
        Atomic and mass numbers, shape (n,).
    choice
        From a chemical symbol, or the index of an atom counted from 0, to a mass number or a symbol: ``{"H": "D"}``,
        ``{"Li": 7}`` or ``{"Li": "7Li"}``, ``{"D": "H", 0: 2}``. Mass number 0, or the element's own symbol, is natural
        abundance.

    Returns
    -------
    IntArray
        Shape (n,), 0 for natural abundance.

    Raises
    ------
    StructureError
        A symbol or index that is not in the crystal, or an isotope of another element.
    """
    symbols = [symbol_of(z, a) for z, a in zip(numbers.tolist(), isotopes.tolist(), strict=True)]
    chosen = isotopes.copy()
    for key, wanted in sorted(choice.items(), key=lambda item: not isinstance(item[0], str)):
        atoms = [i for i, symbol in enumerate(symbols) if key in (symbol, i) and not isinstance(key, bool)]
        if not atoms:
            raise StructureError(
                f"isotopes were chosen for {key!r}, this crystal has {', '.join(sorted(set(symbols)))} and atoms "
                f"0 to {len(symbols) - 1}: name one of them"
            )
        chosen[atoms] = _mass_number(wanted, int(numbers[atoms[0]]))
    return chosen


def _mass_number(wanted: str | int, number: int) -> int:
    """The mass number that a choice asks for."""
    symbol = chemical_symbols[number]
    if wanted == symbol:
        return NATURAL
    if isinstance(wanted, str) and ISOTOPES.get(wanted, (0,))[0] == number:
        return ISOTOPES[wanted][1]
    if isinstance(wanted, str) and (written := re.fullmatch(rf"(\d+){symbol}", wanted)):
        return int(written[1])
    if isinstance(wanted, str | bool) or int(wanted) != wanted or wanted < 0:
        raise StructureError(
            f"isotope {wanted!r} was chosen for {symbol}, expected a mass number"
            f"{', D or T' if number == 1 else ''} or {symbol} for natural abundance"
        )
    return int(wanted)
