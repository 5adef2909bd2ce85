"""Cells of files: CIF, POSCAR, extended XYZ and every other format that ASE reads."""

from __future__ import annotations

import difflib
import re
import warnings
from io import StringIO
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.io import read
from ase.io.formats import filetype, open_with_compression

from inscape.cells.cell import Cell, one_line
from inscape.cells.cif import cell_of_cif
from inscape.cells.isotopes import ISOTOPES
from inscape.cells.objects import cell_of_atoms
from inscape.errors import StructureError

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = "CIF, POSCAR, extended XYZ or another format of ASE"
"""What can be read, in words."""

SUFFIXES = frozenset(
    {".cif", ".vasp", ".poscar", ".xyz", ".extxyz", ".res", ".cell", ".xsf", ".gen", ".xsd", ".pwi", ".traj"}
)
"""Endings of the files that are taken from a folder; files named POSCAR or CONTCAR are as well."""

TEXT_FORMATS = ("cif", "poscar", "extxyz")
"""Formats of structures given as text, not as files."""

FORMATS_OF_TEXT = "CIF, POSCAR or extended XYZ"
"""The same in words."""

EXECUTABLE = frozenset({"py"})
"""Formats of ASE whose files are programs: never read."""


def structure_files(folder: Path) -> list[Path]:
    """Structure files of a folder, by name; not those of folders inside it.

    Raises
    ------
    StructureError
        There are none.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file() and looks_like_structure(path))
    if not files:
        raise StructureError(
            f"{folder}: no structure files in this folder, expected names that end in {', '.join(sorted(SUFFIXES))} or "
            "start with POSCAR or CONTCAR: name the files one by one"
        )
    return files


def cell_of_file(path: Path) -> Cell:
    """Cell of the one structure in a file; of the last one in a file that follows a relaxation, such as OUTCAR.

    Raises
    ------
    StructureError
        The file is missing, cannot be read, or holds no usable crystal; the message begins with its name.
    """
    _check_exists(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _read(path)
    except StructureError as error:
        raise StructureError(f"{path}: {error}") from error
    except Exception as error:  # the readers of ASE raise all kinds
        raise StructureError(f"{path}: {_unreadable(error, FORMATS)}") from error


def cell_of_text(text: str, form: str | None = None) -> Cell:
    """Cell of the one structure in a text, of one of `TEXT_FORMATS`; found by what is in it unless given.

    No file is touched, whatever the text says.

    Raises
    ------
    StructureError
        Another format, or no usable crystal.
    """
    if not text.strip():
        raise StructureError(
            f"the structure is empty, expected a crystal structure in {FORMATS_OF_TEXT}: check how it was written"
        )
    form = form or format_of_text(text)
    if form not in TEXT_FORMATS:
        raise StructureError(f"format is {form!r}, expected one of {', '.join(TEXT_FORMATS)}: convert the structure")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if form == "cif":
                return cell_of_cif(text.encode())
            return cell_of_atoms(_read_poscar(text) if form == "poscar" else _read_xyz(text, "extxyz"))
    except StructureError:
        raise
    except Exception as error:  # the readers of ASE raise all kinds
        raise StructureError(_unreadable(error, FORMATS_OF_TEXT)) from error


def format_of_text(text: str) -> str:
    """A CIF has a data block, extended XYZ begins with the number of atoms, and the rest is taken for a POSCAR."""
    if re.search(r"^\s*(data_|loop_|_cell_)", text, re.MULTILINE | re.IGNORECASE):
        return "cif"
    return "extxyz" if text.split("\n", 1)[0].strip().isdecimal() else "poscar"


def looks_like_structure(path: Path) -> bool:
    """Whether a file has the name of a structure file."""
    named = path.name.upper().startswith(("POSCAR", "CONTCAR"))
    return not path.name.startswith(".") and (named or path.suffix.lower() in SUFFIXES)


def _unreadable(error: Exception, formats: str) -> str:
    """Why a reader gave up, in words."""
    if isinstance(error, KeyError) and re.fullmatch(r"'[A-Z][A-Za-z]{0,2}'", str(error)):
        return f"unknown element {error}: name every atom by its chemical symbol"
    return (
        f"cannot be read ({one_line(error)}), expected a crystal structure in {formats}: "
        "check what is in it, or write it anew as CIF"
    )


def _check_exists(path: Path) -> None:
    if path.is_file():
        return
    if path.is_dir():
        raise StructureError(f"{path}: is a folder, expected a file: name a file in it, or read it by read_structures")
    if path.exists():
        raise StructureError(f"{path}: is no regular file, expected a crystal structure in {FORMATS}: give a file")
    names = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    similar = difflib.get_close_matches(path.name, names, n=3, cutoff=0.6)
    same_stem = [name for name in names if name.split(".")[0] == path.stem and name not in similar]
    found = similar + same_stem[:2]
    hint = f"did you mean {' or '.join(found)}?" if found else "check the path"
    raise StructureError(f"{path}: no such file, expected a crystal structure in {FORMATS}: {hint}")


def _read(path: Path) -> Cell:
    name = str(path.resolve())
    with open_with_compression(name, "rb") as stream:
        data: bytes = stream.read()
    if not data.strip():
        raise StructureError(
            f"the structure is empty, expected a crystal structure in {FORMATS}: check how it was written"
        )
    form = filetype(name)
    if form in EXECUTABLE:
        raise StructureError(f"the file is a program, expected a crystal structure in {FORMATS}: write one with it")
    if form == "cif":
        return cell_of_cif(data)
    if form == "vasp":
        return cell_of_atoms(_read_poscar(data.decode("utf-8", errors="replace"), name))
    if form in ("extxyz", "xyz"):
        return cell_of_atoms(_read_xyz(data.decode("utf-8", errors="replace"), form))
    return cell_of_atoms(_single(read(name, format=form, do_not_split_by_at_sign=True)))


def _single(atoms: Atoms | list[Atoms]) -> Atoms:
    if isinstance(atoms, Atoms):
        return atoms
    if len(atoms) != 1:
        raise StructureError(f"{len(atoms)} structures, expected one: split the file, one structure each")
    return atoms[0]


def _read_poscar(text: str, name: str | None = None) -> Atoms:
    """A POSCAR, whose line of symbols may name D and T, which ASE does not know.

    Where symbols are missing, ASE looks for them in files beside ``name``, if it is given.
    """
    lines = text.splitlines()
    words = lines[5].split() if len(lines) > 6 else []
    if not set(words) & set(ISOTOPES):
        return _single(read(StringIO(text) if name is None else name, format="vasp", do_not_split_by_at_sign=True))
    lines[5] = " ".join("H" if word in ISOTOPES else word for word in words)
    atoms = _single(read(StringIO("\n".join(lines) + "\n"), format="vasp"))
    return _with_isotopes(atoms, np.repeat(words, [int(count) for count in lines[6].split()[: len(words)]]).tolist())


def _read_xyz(text: str, form: str) -> Atoms:
    """A file of (extended) XYZ with one frame; its symbols may be D and T, which ASE does not know."""
    lines = text.splitlines()
    column = _species_column(lines[1]) if len(lines) > 1 else 0
    count = int(lines[0].split()[0])
    symbols = []
    for i in range(2, min(2 + count, len(lines))):
        words = lines[i].split()
        if len(words) > column:
            symbols.append(words[column])
            if words[column] in ISOTOPES:
                words[column] = "H"
                lines[i] = " ".join(words)
    atoms = _single(read(StringIO("\n".join(lines) + "\n"), index=":", format=form))
    return _with_isotopes(atoms, symbols) if set(symbols) & set(ISOTOPES) else atoms


def _species_column(comment: str) -> int:
    """Column of the symbols that the comment line of extended XYZ declares."""
    declared = re.search(r"Properties=\"?([^\s\"]+)", comment)
    fields = declared[1].split(":") if declared else []
    column = 0
    for name, width in zip(fields[::3], fields[2::3], strict=False):
        if name == "species":
            return column
        column += int(width)
    return 0


def _with_isotopes(atoms: Atoms, symbols: list[str]) -> Atoms:
    """The atoms with the masses of D and T where the symbols say so."""
    masses = np.array(atoms.get_masses(), dtype=float)
    for i, symbol in enumerate(symbols):
        if symbol in ISOTOPES:
            masses[i] = ISOTOPES[symbol][2]
    atoms.set_masses(masses)  # type: ignore[no-untyped-call]
    return atoms
