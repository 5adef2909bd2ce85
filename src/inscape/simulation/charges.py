"""Born charges for a crystal that an interatomic potential simulates: potentials know none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inscape.errors import ForceConstantsError
from inscape.lattice import charges_on, read_born_charges
from inscape.structures import Crystal


def find_charges(crystal: Crystal, born: str | Path | None, born_from: str | Path | None) -> tuple[dict[str, Any], str]:
    """Born charges of a crystal and where they come from; an empty mapping if neither place is named.

    Parameters
    ----------
    born
        A file, as for `inscape.lattice.read_born_charges`.
    born_from
        A library of spectra, asked if there is no file.

    Raises
    ------
    ForceConstantsError
        Charges that do not fit the crystal, or are not there.
    LibraryError
        No such library.
    """
    if born is not None:
        place = Path(born).expanduser()
        return read_born_charges(place, crystal), place.name
    if born_from is not None:
        return charges_from_library(Path(born_from).expanduser(), crystal)
    return {}, ""


def charges_from_library(path: Path, crystal: Crystal) -> tuple[dict[str, Any], str]:
    """Born charges of the same crystal in a library, and its id there.

    The crystal with the same digest is taken, else the first that `inscape.lattice.charges_on` finds to be the same.
    """
    from inscape.library import Library

    library = Library(path)
    natural = Crystal.from_cell(crystal.lattice, crystal.positions, crystal.numbers)
    alike = [e for e in library.entries.values() if e.has_born and e.formula == natural.formula]
    for entry in sorted(alike, key=lambda e: (e.digest != natural.digest, e.id)):
        arrays = library.arrays(entry.id, "born", "dielectric", "dipole_factor")
        charges = {"born": arrays["born"], "dielectric": arrays["dielectric"], "factor": arrays["dipole_factor"][0]}
        found = charges_on(crystal, library.crystal(entry.id), charges)
        if found is not None:
            return found, f"{entry.id} of {path.name}"
    known = ", ".join(f"{e.id} ({e.space_group})" for e in alike) or "none"
    raise ForceConstantsError(
        f"{path}: holds no Born charges of {crystal}; crystals of this formula with charges there: {known}. "
        "Give a file of them, or do without"
    )
