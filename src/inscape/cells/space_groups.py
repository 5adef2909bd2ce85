"""Symmetry operations of a space group named in a file, in the setting that the file means.

All 530 settings of spglib are known by their Hermann–Mauguin and Hall symbols. Where a name fits several settings the
cell decides (hexagonal or rhombohedral axes, the unique axis of a monoclinic cell); the origin is never guessed.
"""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import spglib

from inscape.cells.isotopes import FloatArray
from inscape.errors import StructureError

Operations = tuple[FloatArray, FloatArray]  # rotations (n, 3, 3) and translations (n, 3), fractional

SETTINGS = range(1, 531)
CHOICES = {"1": "1", "s": "1", "2": "2", "z": "2", "h": "H", "r": "R"}
OLD_NAMES = {"abm2": "aem2", "aba2": "aea2", "cmca": "cmce", "cmma": "cmme", "ccca": "ccce"}


def operations_of_name(name: str, lattice: FloatArray) -> Operations:
    """Operations of a Hermann–Mauguin symbol, such as ``P 21/n`` or ``F d -3 m :2``, in a cell.

    Raises
    ------
    StructureError
        The symbol is unknown, or leaves the choice of origin open.
    """
    key, _, choice = re.sub(r"[\s_()'\"]", "", name).casefold().partition(":")
    if not choice and key[-1:] in set("szhr") and len(key) > 1:
        key, choice = key[:-1], key[-1]
    key = OLD_NAMES.get(key, key)
    table = _settings_by_name()
    settings = table.get(key) or table.get(re.sub(r"(?<=[a-n])3", "-3", key))
    if not settings:
        raise StructureError(
            f"unknown space group {name!r}, expected a Hermann–Mauguin symbol: add the symmetry operations "
            "(_space_group_symop_operation_xyz)"
        )
    return _operations(_choose(settings, CHOICES.get(choice), lattice, name))


def operations_of_number(number: int, lattice: FloatArray) -> Operations:
    """Operations of the standard setting of a space group in a cell; `StructureError` as in `operations_of_name`."""
    settings = [setting for setting in SETTINGS if _type(setting).number == number]
    if not settings:
        raise StructureError(f"space group number {number}, expected 1 to 230: correct it")
    standard = _type(settings[0]).international_short
    settings = [setting for setting in settings if _type(setting).international_short == standard]
    return _operations(_choose(settings, None, lattice, f"number {number}"))


def operations_of_hall(symbol: str) -> Operations | None:
    """Operations of a Hall symbol, or None where spglib does not list it."""
    key = "".join(symbol.split()).casefold()
    found = [s for s in SETTINGS if "".join(_type(s).hall_symbol.split()).casefold() == key]
    return _operations(found[0]) if found else None


def _choose(settings: list[int], choice: str | None, lattice: FloatArray, name: str) -> int:
    """The one setting that a name, its suffix and the cell mean."""
    first = _type(settings[0])
    if choice is None and any(_type(s).choice == "R" for s in settings):
        choice = "H" if _is_hexagonal(lattice) else "R"
    if 3 <= first.number <= 15:
        axis = _unique_axis(lattice)
        settings = [s for s in settings if axis in _type(s).choice] or settings
    if choice is not None:
        settings = [s for s in settings if _type(s).choice.startswith(choice)] or settings
    if {_type(s).choice[:1] for s in settings} >= {"1", "2"}:
        raise StructureError(
            f"space group {name} has two choices of origin and no operations are listed: add "
            "_space_group_symop_operation_xyz, or ':1' or ':2' to the symbol"
        )
    return settings[0]


def _operations(setting: int) -> Operations:
    database = spglib.get_symmetry_from_database(setting)
    if database is None:
        raise StructureError(f"spglib has no operations of its setting {setting}: list them in the file")
    return np.array(database["rotations"], dtype=np.float64), np.array(database["translations"], dtype=np.float64)


@cache
def _type(setting: int) -> spglib.SpaceGroupType:
    found = spglib.get_spacegroup_type(setting)
    if found is None:
        raise StructureError(f"spglib does not know its setting {setting}: reinstall spglib")
    return found


@cache
def _settings_by_name() -> dict[str, list[int]]:
    """Settings of each name, without blanks and case; monoclinic ones also without their 1s (``P21/n``)."""
    table: dict[str, list[int]] = {}
    for setting in SETTINGS:
        group = _type(setting)
        full = group.international_full.replace("_", "")
        names = {full}
        if 3 <= group.number <= 15:
            names.add(" ".join(word for word in full.split() if word != "1"))
        else:
            names.add(group.international_short.replace("_", ""))
        for name in names:
            table.setdefault("".join(name.split()).casefold(), []).append(setting)
    return table


def _is_hexagonal(lattice: FloatArray) -> bool:
    a, b, _ = lattice
    return bool(abs(a @ b / (a @ a) + 0.5) < 0.01 and abs((b @ b) / (a @ a) - 1) < 0.01)


def _unique_axis(lattice: FloatArray) -> str:
    """The axis at right angles to both others; b where all angles are right."""
    a, b, c = lattice / np.linalg.norm(lattice, axis=1)[:, None]
    skew = {"a": abs(b @ c), "b": abs(a @ c), "c": abs(a @ b)}
    return max("bca", key=lambda axis: round(float(skew[axis]), 6))
