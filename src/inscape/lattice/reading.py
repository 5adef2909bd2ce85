"""Force constants and Born charges from files: the phonondb's archives, phonopy's files, and what Euphonic reads."""

from __future__ import annotations

import lzma
import tarfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import phonopy
from numpy.typing import NDArray
from phonopy.file_IO import parse_FORCE_CONSTANTS, parse_FORCE_SETS_from_strings
from phonopy.interface.phonopy_yaml import PhonopyYaml
from phonopy.interface.vasp import read_vasp_from_strings

from inscape.errors import ForceConstantsError
from inscape.lattice.born import born_of_crystal, charges_on, checked_charges, parse_born
from inscape.lattice.exchange import is_euphonic_file, read_euphonic_file
from inscape.lattice.force_constants import COULOMB, PHONOPY_SYMPREC, ForceConstants, from_phonopy, new_phonopy
from inscape.structures import Crystal

UNREADABLE = (
    OSError, EOFError, lzma.LZMAError, tarfile.TarError,
    ValueError, RuntimeError, LookupError, AttributeError, TypeError,
)  # fmt: skip
"""What the readers of damaged or foreign files raise."""

YAML_NAMES = ("phonopy_params.yaml", "phonopy_disp.yaml", "phonopy.yaml")
UNIT_CELL_NAMES = ("POSCAR-unitcell", "POSCAR")


def read_force_constants(path: str | Path) -> ForceConstants:
    """Read force constants from an archive of the phonondb, from files of phonopy, CASTEP or Euphonic.

    Parameters
    ----------
    path
        ``*.tar.lzma`` or ``*.tar.xz`` of the Kyoto phonon database; a folder with POSCAR-unitcell, FORCE_SETS and
        phonopy.conf (BORN optional) or with a phonopy yaml; a ``phonopy_params.yaml``-like file; a ``.castep_bin`` or
        ``.check`` of CASTEP, or force constants that Euphonic wrote as JSON.

    Raises
    ------
    MissingPackageError
        Files of CASTEP or Euphonic, and Euphonic is not installed.
    ForceConstantsError
        What is missing or cannot be read.
    """
    path = Path(path)
    if not path.exists():
        raise ForceConstantsError(f"{path}: no such file or folder; give an archive, a phonopy folder or a yaml file")
    try:
        if path.is_dir():
            yaml = next((path / name for name in YAML_NAMES if (path / name).exists()), None)
            return _read_yaml(yaml) if yaml else _from_members(_folder_members(path), str(path))
        if tarfile.is_tarfile(path):
            return _from_members(_archive_members(path), str(path))
        if path.suffix in {".yaml", ".yml"}:
            return _read_yaml(path)
        if is_euphonic_file(path):
            return read_euphonic_file(path)
    except ForceConstantsError:
        raise
    except UNREADABLE as e:
        raise ForceConstantsError(f"{path}: cannot be read as force constants ({type(e).__name__}: {e})") from e
    raise ForceConstantsError(
        f"{path}: neither a phonondb archive (.tar.lzma), nor a phonopy folder or yaml file, nor a .castep_bin, .check "
        "or Euphonic's JSON"
    )


def is_calculation(path: str | Path) -> bool:
    """Whether a path is one for `read_force_constants`, by its name and what lies in it; it may still be damaged."""
    path = Path(path)
    if path.is_dir():
        return any((path / name).exists() for name in (*YAML_NAMES, "phonopy.conf", "FORCE_SETS", "FORCE_CONSTANTS"))
    return path.suffix in {".yaml", ".yml"} or ".tar" in path.suffixes or is_euphonic_file(path)


def read_born_charges(path: str | Path, crystal: Crystal) -> dict[str, Any]:
    """Born charges and the dielectric tensor of a crystal, as `ForceConstants.with_charges` takes them.

    Parameters
    ----------
    path
        A BORN file of phonopy, in the frame and the order of atoms of the crystal; or what `read_force_constants`
        takes, a calculation of the same crystal in any frame.

    Raises
    ------
    ForceConstantsError
        What cannot be read, holds no charges, or belongs to another crystal.
    """
    path = Path(path)
    if not path.exists():
        raise ForceConstantsError(f"{path}: no such file; give a BORN file of phonopy, or a calculation with charges")
    try:
        if not is_calculation(path):
            return born_of_crystal(path.read_text(encoding="utf-8", errors="replace"), crystal)
        calculation = read_force_constants(path)
        charges = calculation.phonopy.nac_params
        if charges is None:
            raise ForceConstantsError("holds no Born charges; give another file")
        found = charges_on(crystal, calculation.crystal, dict(charges))
        if found is None:
            raise ForceConstantsError(
                f"holds charges of {calculation.crystal}, which is not the same crystal as {crystal}; "
                "give those of the same structure"
            )
        return checked_charges(found, crystal)
    except ForceConstantsError as error:
        text = str(error).removeprefix(f"{path}: ")
        raise ForceConstantsError(f"{path}: {text}") from error
    except OSError as error:
        raise ForceConstantsError(f"{path}: cannot be read ({error.strerror}); give another file") from error


def _archive_members(path: Path) -> dict[str, str]:
    wanted = {"POSCAR-unitcell", "FORCE_SETS", "phonopy.conf", "BORN"}
    members = {}
    with tarfile.open(path, "r:*") as tar:
        for member in tar:
            name = Path(member.name).name
            if name in wanted and (file := tar.extractfile(member)) is not None:
                members[name] = file.read().decode()
    return members


def _folder_members(path: Path) -> dict[str, str]:
    names = (*UNIT_CELL_NAMES, "FORCE_SETS", "FORCE_CONSTANTS", "phonopy.conf", "BORN")
    return {name: (path / name).read_text() for name in names if (path / name).exists()}


def _from_members(members: dict[str, str], source: str) -> ForceConstants:
    """Force constants from the texts of a calculation's files, by file name."""
    cell_text = next((members[name] for name in UNIT_CELL_NAMES if name in members), None)
    if cell_text is None or "phonopy.conf" not in members or not {"FORCE_SETS", "FORCE_CONSTANTS"} & set(members):
        raise ForceConstantsError(
            f"{source}: found {sorted(members) or 'nothing of use'}; "
            "expected POSCAR-unitcell, phonopy.conf (DIM) and FORCE_SETS or FORCE_CONSTANTS"
        )
    settings = _settings(members["phonopy.conf"])
    if "DIM" not in settings:
        raise ForceConstantsError(f"{source}: phonopy.conf sets no DIM, so the supercell is unknown; add it")
    dim = np.array([int(x) for x in settings["DIM"].split()])
    supercell = np.diag(dim) if dim.size == 3 else dim.reshape(3, 3)
    axes = settings.get("PRIMITIVE_AXES", settings.get("PRIMITIVE_AXIS", "auto"))
    primitive: Any = _matrix(axes) if axes[0] in "-.0123456789" else axes.strip().replace("AUTO", "auto")
    ph = new_phonopy(read_vasp_from_strings(cell_text), supercell, primitive)
    if "FORCE_SETS" in members:
        ph.dataset = parse_FORCE_SETS_from_strings(members["FORCE_SETS"], natom=len(ph.supercell))
        ph.produce_force_constants(calculate_full_force_constants=False, fc_calculator="traditional", show_drift=False)
    else:
        ph.force_constants = parse_FORCE_CONSTANTS(Path(source) / "FORCE_CONSTANTS")
    return from_phonopy(ph, charges=parse_born(members["BORN"], ph.primitive) if "BORN" in members else None)


def _read_yaml(path: Path) -> ForceConstants:
    yaml = PhonopyYaml()
    yaml.read(path)
    folder = path.parent
    beside: dict[str, Any] = {
        "force_sets_filename": folder / "FORCE_SETS",
        "force_constants_filename": folder / "FORCE_CONSTANTS",
        "born_filename": folder / "BORN",
    }
    if yaml.force_constants is not None or (yaml.dataset and "forces" in str(yaml.dataset)[:2000]):
        beside = {"born_filename": folder / "BORN"}
    ph = phonopy.load(path, symprec=PHONOPY_SYMPREC, log_level=0, **{k: v for k, v in beside.items() if v.exists()})
    charges = ph.nac_params
    if charges is not None and charges.get("factor") is None:
        charges = {**charges, "factor": COULOMB}
    return from_phonopy(ph, charges=charges)


def _settings(text: str) -> dict[str, str]:
    pairs = (line.split("#")[0].split("=", 1) for line in text.splitlines() if "=" in line.split("#")[0])
    return {key.strip().upper(): value.strip() for key, value in pairs}


def _matrix(text: str) -> NDArray[np.float64]:
    return np.array([float(Fraction(x)) for x in text.split()]).reshape(3, 3)
