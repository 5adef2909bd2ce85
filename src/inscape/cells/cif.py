"""Cells of crystallographic information files (CIF).

ASE splits the file into its entries; symbols, occupancies and symmetry are read here, because ASE takes the element
``SI4+`` for sulphur, the number of a space group before its symbol, and knows no tritium and few settings. Sites near
a special position are moved onto it, so that coordinates of four digits keep their symmetry.
"""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

import numpy as np
from ase.data import atomic_numbers
from ase.geometry import cellpar_to_cell
from ase.io.cif import CIFBlock, parse_cif
from ase.spacegroup.spacegroup import parse_sitesym

from inscape.cells.cell import Cell, checked_cell, species, wrapped
from inscape.cells.isotopes import ISOTOPES, FloatArray
from inscape.cells.objects import partial_occupancy
from inscape.cells.space_groups import Operations, operations_of_hall, operations_of_name, operations_of_number
from inscape.errors import StructureError

SAME_SITE = 1e-3
"""Fractional distance below which two images of a site are one."""

CELL_TAGS = tuple(
    f"_cell_{tag}" for tag in ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
)
POSITION_TAGS = tuple(f"_atom_site_fract_{axis}" for axis in "xyz")
OPERATION_TAGS = (
    "_space_group_symop_operation_xyz",
    "_space_group_symop.operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
)
SYMBOL_TAGS = ("_space_group_name_h-m_alt", "_symmetry_space_group_name_h-m", "_space_group_name_h-m_full")
HALL_TAGS = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
NUMBER_TAGS = ("_space_group_it_number", "_symmetry_int_tables_number")


def cell_of_cif(data: bytes) -> Cell:
    """Cell of the one crystal structure that a CIF holds.

    Raises
    ------
    StructureError
        No structure or several, no cell, no symmetry, sites without coordinates or occupied in part, unknown elements,
        and whatever `checked_cell` refuses.
    """
    block = _structure_block(data)
    lattice = _lattice(block)
    symbols = _symbols(block)
    _check_occupancies(block, symbols)
    sites = _site_positions(block, symbols)
    rotations, translations = _operations(block, lattice)
    positions: list[FloatArray] = []
    names: list[str] = []
    for symbol, site in zip(symbols, sites, strict=True):
        for position in _orbit(site, rotations, translations):
            if not any(name == symbol and _same(position, other) for name, other in zip(names, positions, strict=True)):
                positions.append(position)
                names.append(symbol)
    numbers, isotopes = species(names)
    return checked_cell(lattice, np.array(positions), numbers, isotopes=isotopes)


def _structure_block(data: bytes) -> CIFBlock:
    blocks = [block for block in parse_cif(BytesIO(data)) if all(tag in block for tag in POSITION_TAGS)]
    if not blocks:
        raise StructureError("no crystal structure: expected atoms with fractional coordinates (_atom_site_fract_x)")
    if len(blocks) > 1:
        names = ", ".join(block.name for block in blocks[:3])
        raise StructureError(
            f"{len(blocks)} structures ({names} ...), expected one: split the file, one structure each"
        )
    return blocks[0]


def _column(block: CIFBlock, tag: str) -> list[Any]:
    values = block[tag]
    return values if isinstance(values, list) else [values]


def _first(block: CIFBlock, tags: tuple[str, ...]) -> Any:
    return next((block[tag] for tag in tags if tag in block and block[tag] not in ("?", ".")), None)


def _lattice(block: CIFBlock) -> FloatArray:
    tags = dict(block)
    parameters = []
    for tag in CELL_TAGS:
        value = tags.get(tag)
        if value is None:
            raise StructureError(f"no cell: {tag} is missing, expected three lengths and three angles: add it")
        if not isinstance(value, int | float) or not (0 < value < (180 if "angle" in tag else np.inf)):
            raise StructureError(f"no cell: {tag} is {value}, expected a positive number: correct it")
        parameters.append(float(value))
    small, middle, large = sorted(parameters[3:])
    if large >= small + middle or small + middle + large >= 360:
        raise StructureError(f"zero volume: no cell has the angles {parameters[3:]}: correct them")
    return np.asarray(cellpar_to_cell(parameters), dtype=np.float64)  # type: ignore[no-untyped-call]


# ---- sites ----


def _symbols(block: CIFBlock) -> list[str]:
    """Chemical symbol of each site, from its type or else its label."""
    if "_atom_site_type_symbol" in block:
        return [_symbol_of_type(str(text)) for text in _column(block, "_atom_site_type_symbol")]
    if "_atom_site_label" in block:
        return [_symbol_of_label(str(text)) for text in _column(block, "_atom_site_label")]
    raise StructureError("sites without elements: neither _atom_site_type_symbol nor _atom_site_label: add one")


def _symbol_of_type(text: str) -> str:
    """``Si`` of ``Si4+`` or ``SI``, ``D`` of ``2H``."""
    if isotope := re.match(r"([23])H\b", text):
        return {"2": "D", "3": "T"}[isotope[1]]
    letters = re.match(r"[A-Za-z]*", text)
    return letters[0].capitalize() if letters and letters[0] else text


def _symbol_of_label(text: str) -> str:
    """``Si`` of ``Si1``, ``O`` of ``OW2``; refused where both readings make an element, as in ``CA1``."""
    letters = re.match(r"[A-Za-z]*", text)
    word = letters[0] if letters else ""
    one, two = word[:1].upper(), word[:2].capitalize()
    if _is_element(two) and len(two) == 2 and _is_element(one) and word[1].isupper():
        raise StructureError(
            f"the site label {text!r} may be {one} or {two}, expected an element: add _atom_site_type_symbol"
        )
    return two if _is_element(two) else one if _is_element(one) else word or text


def _is_element(symbol: str) -> bool:
    return symbol in ISOTOPES or atomic_numbers.get(symbol, 0) > 0


def _check_occupancies(block: CIFBlock, symbols: list[str]) -> None:
    if "_atom_site_occupancy" not in block:
        return
    for symbol, share in zip(symbols, _column(block, "_atom_site_occupancy"), strict=True):
        if isinstance(share, int | float) and abs(share - 1) > 1e-3:
            raise partial_occupancy(f"{symbol}:{share}")


def _site_positions(block: CIFBlock, symbols: list[str]) -> FloatArray:
    """Fractional positions as they stand in the file, shape (n_sites, 3)."""
    columns = [_column(block, tag) for tag in POSITION_TAGS]
    rows = list(zip(*columns, strict=True))
    for symbol, row in zip(symbols, rows, strict=True):
        if not all(isinstance(value, int | float) for value in row):
            raise StructureError(
                f"a site of {symbol} is at ({', '.join(map(str, row))}), expected numbers: give its coordinates or "
                "remove the site"
            )
    return np.array(rows, dtype=np.float64)


def _orbit(site: FloatArray, rotations: FloatArray, translations: FloatArray) -> FloatArray:
    """Images of a site in the cell, shape (n, 3), after it was moved onto the special position it lies close to."""
    images = rotations @ site + translations
    shift = images - site
    shift -= np.rint(shift)
    exact = site + shift[(np.abs(shift) < SAME_SITE).all(axis=1)].mean(axis=0)
    orbit: list[FloatArray] = []
    for image in wrapped(rotations @ exact + translations):
        if not any(_same(image, other) for other in orbit):
            orbit.append(image)
    return np.array(orbit)


def _same(a: FloatArray, b: FloatArray) -> bool:
    difference = a - b
    return bool((np.abs(difference - np.rint(difference)) < SAME_SITE).all())


# ---- symmetry ----


def _operations(block: CIFBlock, lattice: FloatArray) -> Operations:
    """Symmetry operations: those listed, otherwise those of the space group's symbols, otherwise of its number."""
    listed = _first(block, OPERATION_TAGS)
    if listed:
        strings = [str(line) for line in (listed if isinstance(listed, list) else [listed])]
        rotations, translations = parse_sitesym(strings)  # type: ignore[no-untyped-call]
        return np.asarray(rotations, dtype=np.float64), np.asarray(translations, dtype=np.float64)
    hall, name, number = (_first(block, tags) for tags in (HALL_TAGS, SYMBOL_TAGS, NUMBER_TAGS))
    if hall is not None and (known := operations_of_hall(str(hall))):
        return known
    if name is not None:
        return operations_of_name(str(name), lattice)
    if number is not None:
        return operations_of_number(int(number), lattice)
    raise StructureError(
        "no symmetry: neither operations nor a space group are given, expected one of them: add "
        "_symmetry_space_group_name_H-M, which is 'P 1' where all atoms of the cell are listed"
    )
