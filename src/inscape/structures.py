"""Crystal structures: read them from files and objects, find the primitive cell and its symmetry.

What cannot be used is refused with a `StructureError` that says what came, what was expected and what to do.
"""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from dataclasses import dataclass, fields, replace
from functools import cached_property, reduce
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import spglib
from ase import Atoms
from numpy.typing import ArrayLike, NDArray

from inscape.cells.cell import Cell, checked_cell, one_line, wrapped
from inscape.cells.files import FORMATS, cell_of_file, cell_of_text, structure_files
from inscape.cells.isotopes import NATURAL, FloatArray, IntArray, chosen_isotopes, isotope_masses, symbol_of
from inscape.cells.objects import cell_of_atoms, cell_of_pymatgen, is_pymatgen_structure
from inscape.errors import StructureError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_BY_ELECTRONEGATIVITY = """
F Cl Br I At O S Se Te Po T D H N P As Sb Bi C Si Ge Sn Pb B Al Ga In Tl Zn Cd Hg Cu Ag Au Ni Pd Pt Co Rh Ir Fe Ru Os Mn
Tc Re Cr Mo W V Nb Ta Ti Zr Hf Sc Y Lu Yb Tm Er Ho Dy Tb Gd Eu Sm Pm Nd Pr Ce La Lr No Md Fm Es Cf Bk Cm Am Pu Np U Pa
Th Ac Be Mg Ca Sr Ba Ra Li Na K Rb Cs Fr
"""
FORMULA_RANK = {symbol: -place for place, symbol in enumerate(_BY_ELECTRONEGATIVITY.split())}
"""Place of an element in formulas, electropositive ones first (IUPAC Red Book 2005, table VI)."""

MAX_ATOMS = 200
"""Most atoms of a primitive cell."""

SYMPREC = 1e-4
"""Tolerance of the symmetry search, Å."""

SAME_PLACE = 1e-5
"""Tolerance of the operations that take atoms to atoms, Å: where they are used, nothing may change."""


class Operations(NamedTuple):
    """Operations of a space group, without repetition by lattice translations.

    ``turns``, rotations on fractional positions (columns), shape (n, 3, 3); ``rotations``, the same in the Cartesian
    frame; ``permutations``, shape (n, n_atoms): which atom each operation takes to the place of an atom.
    """

    turns: IntArray
    rotations: NDArray[np.float64]
    permutations: IntArray


def averaged_tensors(
    tensors: NDArray[np.float64], rotations: NDArray[np.float64], permutations: IntArray
) -> NDArray[np.float64]:
    """Cartesian tensors of atoms, shape (n_atoms, ..., 3, 3), averaged over operations as of `Operations`."""
    turned = np.zeros_like(tensors)
    for rotation, permutation in zip(rotations, permutations, strict=True):
        turned += rotation @ tensors[permutation] @ rotation.T
    return turned / len(rotations)


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
    rotations, translations
        Operations of the space group on fractional positions (columns), x' = W x + w, by W without repetition: W, shape
        (n_rotations, 3, 3), and w, (n_rotations, 3).
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
    translations: FloatArray

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
        isotopes: Iterable[int] | None = None,
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
        return _crystal(checked_cell(lattice, positions, numbers, masses=masses, isotopes=isotopes), symprec)

    @property
    def n_atoms(self) -> int:
        """Atoms of the primitive cell."""
        return len(self.numbers)

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """Chemical symbol of each atom; ``D`` and ``T`` for the isotopes 2 and 3 of hydrogen."""
        return tuple(symbol_of(z, a) for z, a in zip(self.numbers.tolist(), self.isotopes, strict=True))

    @cached_property
    def formula(self) -> str:
        """Reduced formula, electropositive elements first, as chemists write it: SiO2, CaTiO3, NaCl."""
        counts = Counter(self.symbols)
        divisor = reduce(gcd, counts.values())
        order = sorted(counts, key=lambda s: (FORMULA_RANK.get(s, 1), s))
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

    @cached_property
    def kinds(self) -> IntArray:
        """One integer for each sort of atom, by element, isotope and mass, shape (n_atoms,): what symmetry maps."""
        return _kinds(self)

    @cached_property
    def operations(self) -> Operations:
        """Operations of the space group that take atoms to the places of like ones, and how."""
        turns, translations = self.rotations, self.translations
        permutations, exact = _permutations(self, turns, translations)
        if not exact:
            found = _ask_spglib("get_symmetry", self, SAME_PLACE)
            turns, translations = np.asarray(found["rotations"], dtype=np.int64), np.asarray(found["translations"])
            permutations, _ = _permutations(self, turns, translations)
        to_cartesian = self.lattice.T
        return Operations(turns, to_cartesian @ turns @ np.linalg.inv(to_cartesian), permutations)

    def natural(self) -> Crystal:
        """The same crystal of the natural isotopes; symmetry and order of atoms stay those of the isotopes."""
        isotopes = np.array(self.isotopes, dtype=np.int64)
        if not isotopes.any():
            return self
        masses = np.where(isotopes == NATURAL, self.masses, isotope_masses(self.numbers, 0 * isotopes))
        return replace(self, isotopes=(NATURAL,) * self.n_atoms, masses=masses)

    def with_isotopes(self, choice: Mapping[str | int, str | int]) -> Crystal:
        """The same crystal of other isotopes, which have other masses and scatter neutrons differently.

        Parameters
        ----------
        choice
            From a chemical symbol, or the index of an atom counted from 0, to a mass number or a symbol:
            ``{"H": "D"}``, ``{"Li": 7}``, ``{"D": "H", 0: 2}``; atoms overrule elements. Mass number 0, or the
            element's own symbol, is natural abundance.

        Returns
        -------
        Crystal
            Atoms that were not chosen keep their masses. Where equivalent atoms differ now, the symmetry is lower.

        Raises
        ------
        StructureError
            An atom or element that is not there, an isotope that does not exist.
        """
        before = np.array(self.isotopes, dtype=np.int64)
        isotopes = chosen_isotopes(self.numbers, before, choice)
        masses = np.where(isotopes == before, self.masses, isotope_masses(self.numbers, isotopes))
        return Crystal.from_cell(self.lattice, self.positions, self.numbers, masses=masses, isotopes=isotopes.tolist())

    def to_dict(self) -> dict[str, Any]:
        """The primitive cell for JSON: ``Crystal.from_cell(**crystal.to_dict())`` is the same crystal."""
        return {
            "lattice": self.lattice.tolist(),
            "positions": self.positions.tolist(),
            "numbers": self.numbers.tolist(),
            "masses": self.masses.tolist(),
            "isotopes": list(self.isotopes),
        }

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


def _permutations(crystal: Crystal, turns: IntArray, translations: FloatArray) -> tuple[IntArray, bool]:
    """Which atom each operation takes to the place of an atom, and whether all are like it and within `SAME_PLACE`."""
    moved = np.einsum("dx,gyx->gdy", crystal.positions, turns) + translations[:, None]
    permutations = np.empty(moved.shape[:2], dtype=np.int64)
    farthest = 0.0
    for number, places in enumerate(moved):
        difference = places - crystal.positions[:, None]
        distance = np.linalg.norm((difference - np.rint(difference)) @ crystal.lattice, axis=-1)
        permutations[number] = distance.argmin(axis=1)
        farthest = max(farthest, float(distance.min(axis=1).max()))
    return permutations, farthest < SAME_PLACE and bool((crystal.kinds[permutations] == crystal.kinds).all())


# ---- reading ----


@dataclass(frozen=True, eq=False)
class Loaded:
    """What came of reading one structure: a crystal, or the reason why there is none.

    Parameters
    ----------
    name
        Path of the file, or ``structure 3`` for the third of the objects given.
    crystal
        The crystal, None where it was refused.
    error
        The reason, None where there is a crystal.
    """

    name: str
    crystal: Crystal | None
    error: StructureError | None


def read_structure(source: object) -> Crystal:
    """Crystal of a file or of an object of another library.

    Parameters
    ----------
    source
        Path of a CIF, POSCAR or extended XYZ file, or of any other that ASE reads; ASE ``Atoms``; a pymatgen
        ``Structure``; a `Crystal`, which is returned as it is.

    Returns
    -------
    Crystal
        In the Cartesian frame of the source; ``D`` and ``T`` are kept as isotopes of hydrogen, magnetic moments and
        charges are not.

    Raises
    ------
    StructureError
        A missing or unreadable file, no periodic cell, partial occupancy, and whatever `Crystal.from_cell` refuses.
    """
    if isinstance(source, Crystal):
        return source
    if isinstance(source, Atoms):
        return _crystal(cell_of_atoms(source), SYMPREC)
    if isinstance(source, str | Path):
        path = Path(source).expanduser()
        cell = cell_of_file(path)
        try:
            return _crystal(cell, SYMPREC)
        except StructureError as error:
            raise StructureError(f"{path}: {error}") from error
    if is_pymatgen_structure(source):
        return _crystal(cell_of_pymatgen(source), SYMPREC)
    raise StructureError(
        f"got {type(source).__name__}, expected the path of a file in {FORMATS}, ASE Atoms, a periodic pymatgen "
        "Structure or a Crystal: convert it to one of them"
    )


def parse_structure(text: str, form: str | None = None, *, name: str | None = None) -> Crystal:
    """Crystal of a text, as one was pasted: CIF, POSCAR or extended XYZ; no file is touched.

    Parameters
    ----------
    text
        The structure.
    form
        "cif", "poscar" or "extxyz"; found by what is in the text unless given.
    name
        What messages call it.

    Raises
    ------
    StructureError
        As for `read_structure`.
    """
    try:
        return _crystal(cell_of_text(text, form), SYMPREC)
    except StructureError as error:
        if name is None:
            raise
        raise StructureError(f"{name}: {error}") from error


def read_structures(sources: object) -> list[Loaded]:
    """Read one source or many, go on after failures.

    Parameters
    ----------
    sources
        What `read_structure` takes, or a folder (its structure files, by name), or an iterable of both.

    Returns
    -------
    list[Loaded]
        One entry a file or object, in the order given.
    """
    many = isinstance(sources, list | tuple | set | frozenset) or hasattr(sources, "__next__")
    loaded: list[Loaded] = []
    for position, source in enumerate(sources if many else [sources], start=1):  # type: ignore[arg-type, var-annotated]
        if isinstance(source, str | Path):
            loaded += _load_path(Path(source).expanduser())
        else:
            loaded.append(_load(f"structure {position}", source))
    return loaded


def _load_path(path: Path) -> list[Loaded]:
    if not path.is_dir():
        return [_load(str(path), path)]
    try:
        return [_load(str(file), file) for file in structure_files(path)]
    except StructureError as error:
        return [Loaded(str(path), None, error)]


def _load(name: str, source: object) -> Loaded:
    try:
        return Loaded(name, read_structure(source), None)
    except StructureError as error:
        return Loaded(name, None, error)


# ---- symmetry ----


def _crystal(cell: Cell, symprec: float) -> Crystal:
    """Crystal of a checked cell."""
    dataset = _ask_spglib("get_symmetry_dataset", cell, symprec)
    keep = np.sort(np.unique(dataset.mapping_to_primitive, return_index=True)[1])
    if len(keep) < len(cell.numbers):
        cell = _primitive(cell, keep, symprec)
        dataset = _ask_spglib("get_symmetry_dataset", cell, symprec)
    if len(cell.numbers) > MAX_ATOMS:
        raise StructureError(
            f"the primitive cell has {len(cell.numbers)} atoms, at most {MAX_ATOMS} are allowed: "
            "choose a smaller crystal"
        )
    conventional = _standard_lattice(cell, symprec, to_primitive=False)
    transformation = np.rint(conventional @ np.linalg.inv(cell.lattice))
    rotations, first = np.unique(np.asarray(dataset.rotations, dtype=np.int64), axis=0, return_index=True)
    return Crystal(
        lattice=cell.lattice,
        positions=cell.positions,
        numbers=cell.numbers,
        masses=cell.masses,
        isotopes=tuple(cell.isotopes.tolist()),
        conventional_lattice=transformation @ cell.lattice,
        conventional_transformation=transformation,
        space_group=str(dataset.international),
        space_group_number=int(dataset.number),
        rotations=rotations,
        translations=np.asarray(dataset.translations, dtype=np.float64)[first],
    )


def _primitive(cell: Cell, keep: IntArray, symprec: float) -> Cell:
    """Primitive cell of a larger one, with the atoms ``keep`` of it; frame and origin stay."""
    lattice = _standard_lattice(cell, symprec, to_primitive=True)
    positions = wrapped(cell.positions[keep] @ cell.lattice @ np.linalg.inv(lattice))
    return Cell(lattice, positions, cell.numbers[keep], cell.masses[keep], cell.isotopes[keep])


def _standard_lattice(cell: Cell, symprec: float, *, to_primitive: bool) -> FloatArray:
    """Basis vectors of spglib's standard cell in the frame of the given one, shape (3, 3), Å."""
    standard = _ask_spglib("standardize_cell", cell, symprec, to_primitive=to_primitive, no_idealize=True)
    return np.asarray(standard[0], dtype=np.float64)


def _ask_spglib(function: str, cell: Cell | Crystal, symprec: float, **options: bool) -> Any:
    """Result of a function of spglib, which reports failure by None or an exception, by version and settings."""
    question = (cell.lattice, cell.positions, _kinds(cell))
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*OLD_ERROR_HANDLING.*")
            result = getattr(spglib, function)(question, symprec=symprec, **options)
    except Exception as error:  # spglib's own exceptions are not in all its versions
        raise _no_symmetry(symprec, f" ({one_line(error)})") from error
    if result is None:
        raise _no_symmetry(symprec)
    return result


def _kinds(cell: Cell | Crystal) -> IntArray:
    """One integer for each sort of atom: element, isotope and mass."""
    sorts = np.column_stack([cell.numbers, cell.isotopes, np.round(cell.masses, 3)])
    kinds = np.unique(sorts, axis=0, return_inverse=True)[1]
    return np.asarray(kinds.reshape(-1) + 1, dtype=np.int64)


def _no_symmetry(symprec: float, reason: str = "") -> StructureError:
    return StructureError(
        f"no symmetry was found at a tolerance of {symprec:g} Å{reason}, expected a crystal without overlapping atoms: "
        "check the positions, or give another symprec to Crystal.from_cell"
    )


_DIGEST_STEP = 1e-5


def _rounded(values: FloatArray) -> IntArray:
    """Whole numbers of steps; the offset keeps boundaries between steps away from the short decimals of files."""
    return np.asarray(np.floor(values / _DIGEST_STEP + 0.5437), dtype=np.int64)
