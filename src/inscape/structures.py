"""Crystal structures: read them from files and objects, find the primitive cell, refuse what cannot be used."""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from dataclasses import dataclass, fields
from functools import cached_property, reduce
from math import gcd
from typing import TYPE_CHECKING, Any

import numpy as np
import spglib
from ase import Atoms
from ase.data import atomic_masses, chemical_symbols
from ase.geometry import minkowski_reduce
from ase.neighborlist import primitive_neighbor_list
from numpy.typing import ArrayLike, NDArray

from inscape.errors import StructureError

if TYPE_CHECKING:
    from collections.abc import Sequence

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.int64]

MAX_ATOMS = 200
"""Most atoms of a primitive cell."""

MAX_INPUT_ATOMS = 5000
"""Most atoms of a cell whose primitive cell is looked for."""

MIN_DISTANCE = 0.5
"""Least distance of two atoms, periodic images included, Å."""

VOLUME_PER_ATOM = (0.5, 1000.0)
"""Least and largest volume of a cell per atom, Å³."""

SYMPREC = 1e-4
"""Tolerance of the symmetry search, Å."""

ISOTOPES: dict[str, tuple[int, int, float]] = {"D": (1, 2, 2.01410177812), "T": (1, 3, 3.01604928)}
"""Isotopes with a symbol of their own: atomic number, mass number and mass, u.

Masses: M. Wang et al., Chin. Phys. C 45, 030003 (2021).
"""


@dataclass(frozen=True, eq=False)
class Crystal:
    """The primitive cell of a crystal and what is known of its symmetry.

    Build one with `Crystal.from_cell` or `read_structure`, which check what they are given. Arrays are read-only.

    Parameters
    ----------
    lattice
        Rows are the basis vectors a, b, c, shape (3, 3), Å.
    positions
        Fractional positions in [0, 1), shape (n_atoms, 3).
    numbers
        Atomic numbers, shape (n_atoms,).
    masses
        Masses, shape (n_atoms,), u.
    isotopes
        Mass number of each atom, 0 for natural abundance (deuterium: 2).
    conventional_lattice
        Rows are the basis vectors of the conventional standard cell of spglib, not idealised, in the Cartesian frame
        of `lattice`, shape (3, 3), Å.
    conventional_transformation
        P with ``conventional_lattice = P @ lattice``, whole numbers, shape (3, 3).
    space_group
        International symbol, such as ``P3_221``.
    space_group_number
        1 to 230.
    rotations
        Rotations W of the point group on fractional positions (columns), x' = W x + w, shape (n_rotations, 3, 3).
    """

    lattice: FloatArray
    positions: FloatArray
    numbers: IntArray
    masses: FloatArray
    isotopes: tuple[int, ...]
    conventional_lattice: FloatArray
    conventional_transformation: FloatArray
    space_group: str
    space_group_number: int
    rotations: IntArray

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                value = value.copy()
                value.flags.writeable = False
                object.__setattr__(self, field.name, value)

    @classmethod
    def from_cell(
        cls,
        lattice: ArrayLike,
        positions: ArrayLike,
        numbers: ArrayLike,
        *,
        masses: ArrayLike | None = None,
        isotopes: Sequence[int] | None = None,
        symprec: float = SYMPREC,
    ) -> Crystal:
        """Crystal of any cell of it: primitive, conventional or a supercell.

        A cell that is primitive is kept as it is: the same basis vectors, the same order of atoms. Otherwise the
        basis vectors are those of spglib's standard primitive cell, the atoms the first of each set of translationally
        equivalent ones, in the order given. Neither the Cartesian frame nor the origin is ever changed.

        Parameters
        ----------
        lattice
            Rows are the basis vectors, shape (3, 3), Å.
        positions
            Fractional positions, shape (n, 3).
        numbers
            Atomic numbers, shape (n,).
        masses
            Masses, shape (n,), u; natural ones, or those of `isotopes`, if left out. A hydrogen atom of mass 2 or 3
            counts as isotope 2 or 3.
        isotopes
            Mass numbers, shape (n,), 0 for natural abundance.
        symprec
            Tolerance of the symmetry search, Å.

        Raises
        ------
        StructureError
            No volume, numbers that are not finite, atoms that coincide, unknown elements, too many atoms.
        """
        cell, x, z = _checked_cell(lattice, positions, numbers)
        u, mass_numbers = _checked_masses(z, masses, isotopes)
        _check_distances(cell, x)
        kinds = _kinds(z, mass_numbers, u)
        dataset = _symmetry((cell, x, kinds), symprec)
        keep = np.sort(np.unique(dataset.mapping_to_primitive, return_index=True)[1])
        if len(keep) < len(z):
            primitive = _standard_lattice((cell, x, kinds), symprec, to_primitive=True)
            x = x[keep] @ cell @ np.linalg.inv(primitive)
            cell, z, u, mass_numbers, kinds = primitive, z[keep], u[keep], mass_numbers[keep], kinds[keep]
            dataset = _symmetry((cell, x, kinds), symprec)
        if len(z) > MAX_ATOMS:
            raise StructureError(
                f"the primitive cell has {len(z)} atoms, at most {MAX_ATOMS} are allowed: choose a smaller crystal"
            )
        transformation = np.rint(_standard_lattice((cell, x, kinds), symprec, to_primitive=False) @ np.linalg.inv(cell))
        return cls(
            lattice=cell,
            positions=_wrapped(x),
            numbers=z,
            masses=u,
            isotopes=tuple(mass_numbers.tolist()),
            conventional_lattice=transformation @ cell,
            conventional_transformation=transformation,
            space_group=dataset.international,
            space_group_number=int(dataset.number),
            rotations=np.unique(np.asarray(dataset.rotations, dtype=np.int64), axis=0),
        )

    @property
    def n_atoms(self) -> int:
        """Atoms of the primitive cell."""
        return len(self.numbers)

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """Chemical symbol of each atom; ``D`` and ``T`` for the isotopes 2 and 3 of hydrogen."""
        named = {(number, isotope): symbol for symbol, (number, isotope, _) in ISOTOPES.items()}
        pairs = zip(self.numbers.tolist(), self.isotopes, strict=True)
        return tuple(named.get(pair, chemical_symbols[pair[0]]) for pair in pairs)

    @cached_property
    def formula(self) -> str:
        """Reduced formula in Hill's order: carbon, then hydrogen, then the alphabet; the alphabet without carbon."""
        counts = Counter(self.symbols)
        divisor = reduce(gcd, counts.values())
        first = ["C", "H", "D", "T"] if "C" in counts else []
        order = sorted(counts, key=lambda s: (first.index(s) if s in first else len(first), s))
        return "".join(s + (str(counts[s] // divisor) if counts[s] > divisor else "") for s in order)

    @cached_property
    def volume(self) -> float:
        """Volume of the primitive cell, Å³."""
        return float(abs(np.linalg.det(self.lattice)))

    @cached_property
    def reciprocal(self) -> FloatArray:
        """Rows are the reciprocal basis vectors of the primitive cell, with the 2π, shape (3, 3), 1/Å."""
        return 2 * np.pi * np.linalg.inv(self.lattice).T

    @cached_property
    def reciprocal_conventional(self) -> FloatArray:
        """Rows are the reciprocal basis vectors of the conventional cell, with the 2π, shape (3, 3), 1/Å."""
        return 2 * np.pi * np.linalg.inv(self.conventional_lattice).T

    @cached_property
    def digest(self) -> str:
        """SHA-256 of lattice, species and positions rounded to 10⁻⁵ (Å, fractions), 64 hexadecimal digits.

        It does not depend on the order of the atoms; it does on the choice of basis vectors, frame and origin, and not
        on masses but for isotopes.
        """
        cell = _rounded(self.lattice)
        atoms = np.column_stack([self.numbers, self.isotopes, _rounded(self.positions) % round(1 / _DIGEST_STEP)])
        atoms = atoms[np.lexsort(atoms.T[::-1])]
        return hashlib.sha256(np.concatenate([cell.ravel(), atoms.ravel()]).astype("<i8").tobytes()).hexdigest()

    def to_ase(self) -> Atoms:
        """The primitive cell as ASE `Atoms`, with masses."""
        return Atoms(
            numbers=self.numbers, scaled_positions=self.positions, cell=self.lattice, masses=self.masses, pbc=True
        )

    def __repr__(self) -> str:
        return f"Crystal({self.formula}, {self.space_group}, {self.n_atoms} atoms)"


def laue_rotations(crystal: Crystal) -> IntArray:
    """Rotations of the Laue group (the point group with the inversion) on fractional reciprocal coordinates.

    Returns
    -------
    IntArray
        Matrices W without repetition, shape (n, 3, 3): a row ``q`` of coordinates along ``crystal.reciprocal`` goes to
        ``q @ W``, an equivalent one.
    """
    return np.unique(np.concatenate([crystal.rotations, -crystal.rotations]), axis=0)


# ---- checks of a cell ----


def _checked_cell(
    lattice: ArrayLike, positions: ArrayLike, numbers: ArrayLike
) -> tuple[FloatArray, FloatArray, IntArray]:
    """The three as arrays of the right shapes, or a `StructureError`."""
    cell, x, z = (
        _float_array(lattice, "lattice"),
        _float_array(positions, "positions"),
        _float_array(numbers, "numbers"),
    )
    if cell.shape != (3, 3):
        raise StructureError(
            f"the lattice has shape {cell.shape}, expected (3, 3): give three basis vectors as rows, in Å"
        )
    if x.size == 0:
        raise StructureError("the cell holds no atoms, expected at least one: give a crystal structure with atoms")
    if x.ndim != 2 or x.shape[1] != 3 or z.shape != x.shape[:1]:
        raise StructureError(
            f"positions have shape {x.shape} and atomic numbers {z.shape}, expected (n, 3) and (n,): one row an atom"
        )
    if len(x) > MAX_INPUT_ATOMS:
        raise StructureError(
            f"the cell has {len(x)} atoms, at most {MAX_INPUT_ATOMS} are allowed: give a smaller cell of it"
        )
    _check_numbers(z)
    _check_volume(cell, len(x))
    if not np.all(np.isfinite(x)):
        atom = int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
        raise StructureError(
            f"the position of atom {atom + 1} is {_row(x[atom])}, expected finite numbers: correct the coordinates"
        )
    return cell, x, z.astype(np.int64)


def _float_array(values: ArrayLike, name: str) -> FloatArray:
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StructureError(
            f"{name} cannot be read as an array of numbers ({_one_line(error)}): give numbers"
        ) from error


def _check_numbers(numbers: FloatArray) -> None:
    known = np.isin(numbers, np.arange(1, len(chemical_symbols)))
    if not known.all():
        raise StructureError(
            f"unknown element: atomic number {numbers[~known][0]:g}, expected 1 to {len(chemical_symbols) - 1}: "
            "name every atom by its chemical symbol"
        )


def _check_volume(lattice: FloatArray, n_atoms: int) -> None:
    if not np.all(np.isfinite(lattice)):
        raise StructureError("the lattice holds numbers that are not finite, expected lengths in Å: correct the cell")
    if not lattice.any():
        raise StructureError(
            "no cell: the lattice is zero; a crystal with three basis vectors is expected, not a molecule"
        )
    lengths = np.linalg.norm(lattice, axis=1)
    volume = float(abs(np.linalg.det(lattice)))
    if volume <= 1e-8 * np.prod(lengths):
        raise StructureError(
            f"the cell has zero volume (basis vectors of {_row(lengths)} Å in one plane), expected three that span a "
            "volume: correct the cell"
        )
    low, high = VOLUME_PER_ATOM
    if not low <= volume / n_atoms <= high:
        raise StructureError(
            f"the cell has {volume / n_atoms:.3g} Å³ per atom, a crystal has {low:g} to {high:g}: check the unit "
            "of the lattice (Å), the number of atoms and empty space around a molecule"
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
    cartesian = _wrapped(positions @ lattice @ np.linalg.inv(cell)) @ cell
    i, j, distance = primitive_neighbor_list("ijd", (True, True, True), cell, cartesian, MIN_DISTANCE)  # type: ignore[no-untyped-call]
    if len(distance):
        pair = int(np.argmin(distance))
        raise StructureError(
            f"atoms {i[pair] + 1} and {j[pair] + 1} are {distance[pair]:.3g} Å apart, expected {MIN_DISTANCE} Å or "
            "more: remove doubled atoms and check the unit of the lattice (Å)"
        )


def _checked_masses(
    numbers: IntArray, masses: ArrayLike | None, isotopes: Sequence[int] | None
) -> tuple[FloatArray, IntArray]:
    """Masses, u, and mass numbers of all atoms; each filled in from the other where it is left out."""
    mass_numbers = np.zeros(len(numbers), dtype=np.int64)
    if isotopes is not None:
        mass_numbers = _float_array(list(isotopes), "isotopes").astype(np.int64)
    values = _natural_masses(numbers, mass_numbers) if masses is None else _float_array(masses, "masses")
    if mass_numbers.shape != numbers.shape or values.shape != numbers.shape:
        raise StructureError(
            f"got {len(numbers)} atoms, {values.size} masses and {mass_numbers.size} isotopes: give one of each an atom"
        )
    if not (np.isfinite(values) & (values > 0)).all():
        raise StructureError("masses must be positive numbers in u: correct them, or leave them out for natural ones")
    if isotopes is None:
        heavy = (numbers == 1) & (np.abs(values - np.rint(values)) < 0.1) & np.isin(np.rint(values), (2, 3))
        mass_numbers = np.where(heavy, np.rint(values).astype(np.int64), 0)
    wrong = (mass_numbers != 0) & (np.abs(values - mass_numbers) > 0.3)
    if wrong.any():
        atom = int(np.flatnonzero(wrong)[0])
        raise StructureError(
            f"atom {atom + 1} is isotope {mass_numbers[atom]} of {chemical_symbols[numbers[atom]]} but weighs "
            f"{values[atom]:.4g} u: correct the mass or the mass number"
        )
    return values, mass_numbers


def _natural_masses(numbers: IntArray, mass_numbers: IntArray) -> FloatArray:
    """Masses of the natural elements and of the isotopes named in `ISOTOPES`, u."""
    known = {(number, isotope): mass for number, isotope, mass in ISOTOPES.values()}
    masses = []
    for number, isotope in zip(numbers.tolist(), mass_numbers.tolist(), strict=False):
        if isotope and (number, isotope) not in known:
            raise StructureError(
                f"the mass of isotope {isotope} of {chemical_symbols[number]} is not known here, only those of "
                f"{', '.join(ISOTOPES)}: give masses together with isotopes"
            )
        masses.append(known.get((number, isotope), float(atomic_masses[number])))
    return np.array(masses)


# ---- symmetry ----


def _kinds(numbers: IntArray, mass_numbers: IntArray, masses: FloatArray) -> IntArray:
    """One integer for each sort of atom: element, isotope and mass."""
    sorts = np.column_stack([numbers, mass_numbers, np.round(masses, 3)])
    return np.unique(sorts, axis=0, return_inverse=True)[1].reshape(-1) + 1


Cell = tuple[FloatArray, FloatArray, IntArray]


def _symmetry(cell: Cell, symprec: float) -> Any:
    """Data set of spglib on a cell."""
    return _ask_spglib("get_symmetry_dataset", cell, symprec)


def _standard_lattice(cell: Cell, symprec: float, *, to_primitive: bool) -> FloatArray:
    """Basis vectors of spglib's standard cell in the frame of the given one, shape (3, 3), Å."""
    standard = _ask_spglib("standardize_cell", cell, symprec, to_primitive=to_primitive, no_idealize=True)
    return np.asarray(standard[0], dtype=np.float64)


def _ask_spglib(function: str, cell: Cell, symprec: float, **options: bool) -> Any:
    """Result of a function of spglib, which reports failure by None or an exception, by version and settings."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*OLD_ERROR_HANDLING.*")
            result = getattr(spglib, function)(cell, symprec=symprec, **options)
    except Exception as error:  # spglib's own exceptions are not in all its versions
        raise _no_symmetry(symprec, f": {_one_line(error)}") from error
    if result is None:
        raise _no_symmetry(symprec)
    return result


def _no_symmetry(symprec: float, reason: str = "") -> StructureError:
    return StructureError(
        f"no symmetry could be found at a tolerance of {symprec:g} Å{reason}; a crystal "
        "without overlapping atoms is expected: check the positions, or give another symprec to Crystal.from_cell"
    )


# ---- numbers ----

_DIGEST_STEP = 1e-5


def _rounded(values: FloatArray) -> IntArray:
    """Whole numbers of steps; the offset keeps boundaries between steps away from the short decimals of files."""
    return np.floor(values / _DIGEST_STEP + 0.5437).astype(np.int64)


def _wrapped(positions: FloatArray) -> FloatArray:
    """Fractional positions in [0, 1)."""
    wrapped = positions - np.floor(positions)
    return np.where(wrapped >= 1.0, 0.0, wrapped)


def _row(values: FloatArray) -> str:
    return "(" + ", ".join(f"{v:.4g}" for v in values) + ")"


def _one_line(error: BaseException) -> str:
    """Message of an exception on one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."
