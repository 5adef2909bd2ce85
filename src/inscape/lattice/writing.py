"""Force constants as a file of phonopy, which phonopy, Euphonic and what builds on them read."""

from __future__ import annotations

from pathlib import Path

from inscape.files import replacing
from inscape.lattice.force_constants import ForceConstants


def write_phonopy(force_constants: ForceConstants, path: str | Path) -> Path:
    """Write a yaml file with cells, force constants, and Born charges where there are some; whole or not at all.

    `inscape.read_force_constants` reads it too.

    Raises
    ------
    DataError
        The file cannot be written there.
    """
    path = Path(path)
    with replacing(path) as scratch:
        force_constants.phonopy.save(scratch, settings={"force_constants": True, "force_sets": False})
    return path
