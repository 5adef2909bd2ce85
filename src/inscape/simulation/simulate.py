"""The functions of this folder that users call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inscape.errors import ForceConstantsError, StructureError
from inscape.lattice import (
    Displacements,
    ForceConstants,
    boundary_share,
    check_repetitions,
    displace,
    is_calculation,
    read_force_constants,
    repetitions_of_length,
)
from inscape.potentials import Engine
from inscape.potentials import engine as engine_by_name
from inscape.results import Prediction
from inscape.scattering.plane import HK0
from inscape.settings import SpectraSettings
from inscape.simulation.cache import digest, kept, user_cache
from inscape.simulation.charges import find_charges
from inscape.simulation.computed import Computed
from inscape.simulation.direct import DIRECT, predicted_force_constants
from inscape.simulation.relaxation import LARGEST_FORCE, relaxed, symmetrised
from inscape.simulation.spectra import spectra_of
from inscape.structures import read_structure

WORST_RESIDUAL = 0.05
"""A crystal in which larger forces are left than this, eV/Å, is warned of."""

WORST_BOUNDARY = 0.2
"""So is a supercell at whose boundary force constants are larger than this share of the largest between two atoms. In
Si, MgO, NaCl, CaO, Al and Cu (CHGNet), densities of states were within 0.07 meV (Wasserstein-1) of those of larger
supercells where the share was below 0.1, and at least 0.26 meV off where it was above 0.4."""

DEFAULT_ENGINE = "nequix-oam-1-pft"
"""The most accurate for phonons of those that need no further package."""

Progress = Callable[[int, int, str], None]
"""Takes how many supercells are done, how many there are, and what was done last."""


def simulate(
    structure: Any,
    engine: str | Engine = DEFAULT_ENGINE,
    temperature: float = 300.0,
    plane: ArrayLike = HK0,
    *,
    relax: bool = True,
    length: float = 10.0,
    supercell: ArrayLike | None = None,
    born: str | Path | None = None,
    born_from: str | Path | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Prediction:
    """Simulate the neutron spectra of a crystal by lattice dynamics: forces from a potential, the rest exact.

    Parameters
    ----------
    structure
        What `inscape.read_structure` takes. Or a calculation that exists, which needs no engine: `ForceConstants`, or
        what `inscape.read_force_constants` takes (files of phonopy, CASTEP or Euphonic, archives of the phonondb).
    engine
        Name of an interatomic potential (`inscape.potentials.engine_names`), ``ase:package.module:factory`` for any
        calculator of ASE, or an `inscape.potentials.Engine`. Or "direct": force constants by the structure model, in
        one pass, of the crystal as it is; nothing is relaxed, displaced or kept.
    temperature
        Of the maps, K.
    plane
        Two vectors of the conventional reciprocal lattice that span the plane of the single-crystal map.
    relax
        Bring cell and positions to rest in the potential first; the symmetry is kept.
    length
        The supercell is the conventional cell, repeated until opposite faces are at least this far apart, Å.
    supercell
        Instead of it, basis vectors in units of the conventional cell: three whole numbers, or rows of shape (3, 3).
    born
        File of Born charges and dielectric tensor, which potentials do not know: a BORN file of phonopy in the frame
        and the order of the atoms of the structure's primitive cell, or a calculation of the same crystal in any.
    born_from
        Library of spectra in which to look for them by structure.
    cache
        Folder where forces are kept, so that an interrupted simulation goes on and a repeated one computes none;
        ``inscape`` in the user's cache folder unless given.
    progress
        Called after each supercell.
    options
        Those of `inscape.settings.SpectraSettings`: ``kinds``, ``emax``, ``de``, ``qmax``, ``dq``, ``instrument``,
        ``ei``, ``ef``, ``multiphonon``, ``isotopes``. Isotopes have other masses, so other modes; forces stay. Atoms
        are counted as in the crystal read, or in that of the force constants.

    Returns
    -------
    Prediction
        As from `inscape.predict`. Its ``engine`` names the potential, or the file; its ``warning`` says where LO–TO
        splitting is missing, modes are imaginary, the supercell is short, or the crystal did not come to rest.

    Raises
    ------
    StructureError
        A structure that cannot be used, or that the engine does not know.
    ForceConstantsError
        A calculation that cannot be read, Born charges that are not there or do not fit.
    EngineError, InstrumentError, MissingPackageError
        An engine or instrument that does not exist, not in this setting, or is not installed.
    GridError, DataError
        Grids, planes, kinds, temperatures or supercells that make no sense.

    References
    ----------
    A. Togo, L. Chaput, T. Tadano, I. Tanaka, J. Phys.: Condens. Matter 35, 353001 (2023): finite displacements.
    """
    settings = SpectraSettings(temperature, plane, **options)
    found = force_constants_of(
        structure,
        engine,
        relax=relax,
        length=length,
        supercell=supercell,
        born=born,
        born_from=born_from,
        isotopes=settings.isotopes,
        cache=cache,
        progress=progress,
    )
    return spectra_of(found, settings)


def force_constants_of(
    structure: Any,
    engine: str | Engine = DEFAULT_ENGINE,
    *,
    relax: bool = True,
    length: float = 10.0,
    supercell: ArrayLike | None = None,
    born: str | Path | None = None,
    born_from: str | Path | None = None,
    isotopes: Mapping[str | int, str | int] | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> Computed:
    """Force constants of whatever `simulate` takes, by the same road and from the same cache.

    The parameters are those of `simulate`, and so is what it raises. Files of spectra are refused: they hold no force
    constants. Isotopes are looked at only, so that what will be refused is refused before hours of work.
    """
    existing = _existing(structure)
    if existing is not None:
        return _charged(existing, born, born_from)
    if supercell is not None:
        supercell = check_repetitions(supercell)
    crystal = read_structure(structure)
    if isotopes:
        crystal.with_isotopes(isotopes)
    if engine == DIRECT:
        return _charged(predicted_force_constants(crystal), born, born_from)
    potential = engine_by_name(engine) if isinstance(engine, str) else engine
    crystal = symmetrised(crystal)
    charges, source = find_charges(crystal, born, born_from)
    folder = Path(cache).expanduser() if cache is not None else user_cache() / "forces"
    warnings = []
    if relax:
        if progress is not None:
            progress(0, 1, "relaxation")
        crystal, at_rest = relaxed(crystal, potential, folder)
        if not at_rest:
            warnings.append(f"the relaxation ended with forces above {LARGEST_FORCE:g} eV/Å")
    repetitions = check_repetitions(repetitions_of_length(crystal, length) if supercell is None else supercell)
    displacements = displace(crystal, repetitions)
    forces = computed_forces(displacements, potential, folder, progress=progress)
    force_constants = displacements.force_constants(forces)
    residual, share = float(np.linalg.norm(forces[0], axis=1).max()), boundary_share(force_constants)
    attributes = {
        "supercell": "; ".join(" ".join(str(x) for x in row) for row in repetitions.tolist()),
        "relaxed": int(relax),
        "residual_force_eV_per_angstrom": residual,
        "boundary_share": share,
        **({"born_source": source} if charges else {}),
    }
    return Computed(
        force_constants.with_charges(charges) if charges else force_constants,
        f"{potential.name} ({potential.version})",
        (*warnings, *_doubts(residual, share)),
        attributes=attributes,
    )


def _existing(structure: Any) -> Computed | None:
    """Force constants that are there already; None for a structure."""
    if isinstance(structure, ForceConstants):
        return Computed(structure, "force constants")
    if not isinstance(structure, str | Path):
        return None
    place = Path(structure).expanduser()
    if place.suffix == ".nc":
        raise ForceConstantsError(
            f"{place}: a file of spectra holds no force constants; give the structure or calculation itself, as "
            "inscape simulate takes it (what it has computed is kept)"
        )
    if not is_calculation(place):
        return None
    return Computed(read_force_constants(place), f"force constants of {place.name}")


def _charged(found: Computed, born: str | Path | None, born_from: str | Path | None) -> Computed:
    """Force constants that exist, with other Born charges if these are asked for."""
    charges, source = find_charges(found.force_constants.crystal, born, born_from)
    if not charges:
        return found
    charged = found.force_constants.with_charges(charges)
    return replace(found, force_constants=charged, attributes={**found.attributes, "born_source": source})


def _doubts(residual: float, share: float) -> list[str]:
    """Warnings of forces that are left, eV/Å, and of what is left of force constants at the supercell's boundary."""
    found = []
    if residual > WORST_RESIDUAL:
        found.append(f"forces up to {residual:.2g} eV/Å are left in the crystal and taken off: it is not at rest")
    if share > WORST_BOUNDARY:
        found.append(
            f"the supercell is short: force constants at its boundary are still {share:.0%} of the largest between two "
            "atoms; take a larger length"
        )
    return found


def computed_forces(
    displacements: Displacements, engine: Engine, cache: Path, *, progress: Progress | None = None
) -> list[NDArray[np.float64]]:
    """Forces in each of the supercells, shape (n_supercell, 3), eV/Å: from the folder, or computed and kept there."""
    supercells = displacements.supercells
    forces = []
    for number, atoms in enumerate(supercells):
        name = digest(atoms, engine.name, engine.version, "forces")
        found = kept(cache, name, lambda atoms=atoms: {"forces": engine.forces(atoms)})["forces"]  # type: ignore[misc]
        if found.shape != (len(atoms), 3):
            raise StructureError(f"{cache}: kept forces have shape {found.shape}, not {(len(atoms), 3)}; remove them")
        forces.append(np.asarray(found))
        if progress is not None:
            progress(number + 1, len(supercells), f"supercell of {len(atoms)} atoms")
    return forces
