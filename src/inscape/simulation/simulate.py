"""The functions of this folder that users call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from inscape.errors import ForceConstantsError, StructureError
from inscape.lattice import (
    ForceConstants,
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
from inscape.simulation.relaxation import LARGEST_FORCE, relaxed, symmetrised
from inscape.simulation.spectra import spectra_of
from inscape.structures import Crystal, read_structure

Progress = Callable[[int, int, str], None]
"""Takes how many supercells are done, how many there are, and what was done last."""


def simulate(
    structure: Any,
    engine: str | Engine = "sevennet-0",
    temperature: float = 300.0,
    plane: ArrayLike = HK0,
    *,
    relax: bool = True,
    length: float = 10.0,
    supercell: ArrayLike | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Prediction:
    """Simulate the neutron spectra of a crystal by lattice dynamics: forces from a potential, the rest exact.

    Parameters
    ----------
    structure
        What `inscape.read_structure` takes. Or a calculation that exists, which needs no engine: `ForceConstants`, or
        what `inscape.read_force_constants` takes (a phonopy yaml file or folder, an archive of the phonondb).
    engine
        Name of an interatomic potential (`inscape.potentials.engine_names`), ``ase:package.module:factory`` for any
        calculator of ASE, or an `inscape.potentials.Engine`.
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
        splitting is missing, modes are imaginary, or the crystal did not come to rest.

    Raises
    ------
    StructureError
        A structure that cannot be used, or that the engine does not know.
    ForceConstantsError
        A calculation that cannot be read.
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
        isotopes=settings.isotopes,
        cache=cache,
        progress=progress,
    )
    return spectra_of(
        found.force_constants, settings, engine=found.engine, warnings=found.warnings, extra=found.attributes
    )


@dataclass(frozen=True, eq=False)
class Computed:
    """Force constants and where they come from.

    Parameters
    ----------
    force_constants
        Of the crystal.
    engine
        What made them.
    warnings
        Why they are not to be trusted.
    attributes
        Further attributes of results: ``supercell`` and ``relaxed``.
    """

    force_constants: ForceConstants
    engine: str
    warnings: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)


def force_constants_of(
    structure: Any,
    engine: str | Engine = "sevennet-0",
    *,
    relax: bool = True,
    length: float = 10.0,
    supercell: ArrayLike | None = None,
    isotopes: Mapping[str | int, str | int] | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> Computed:
    """Force constants of whatever `simulate` takes, by the same road and from the same cache.

    The parameters are those of `simulate`, and so is what it raises. Files of spectra are refused: they hold no force
    constants. Isotopes are looked at only, so that what will be refused is refused before hours of work.
    """
    if isinstance(structure, ForceConstants):
        return Computed(structure, "force constants")
    if isinstance(structure, str | Path):
        place = Path(structure).expanduser()
        if place.suffix == ".nc":
            raise ForceConstantsError(
                f"{place}: a file of spectra holds no force constants; give the structure or calculation itself, as "
                "inscape simulate takes it (what it has computed is kept)"
            )
        if is_calculation(place):
            return Computed(read_force_constants(place), f"force constants of {place.name}")
    if supercell is not None:
        supercell = check_repetitions(supercell)
    potential = engine_by_name(engine) if isinstance(engine, str) else engine
    crystal = symmetrised(read_structure(structure))
    if isotopes:
        crystal.with_isotopes(isotopes)
    folder = Path(cache).expanduser() if cache is not None else user_cache() / "forces"
    warnings = []
    if relax:
        if progress is not None:
            progress(0, 1, "relaxation")
        crystal, at_rest = relaxed(crystal, potential, folder)
        if not at_rest:
            warnings.append(f"the relaxation ended with forces above {LARGEST_FORCE:g} eV/Å")
    repetitions = check_repetitions(repetitions_of_length(crystal, length) if supercell is None else supercell)
    force_constants = computed_force_constants(crystal, potential, repetitions, folder, progress=progress)
    attributes = {
        "supercell": "; ".join(" ".join(str(x) for x in row) for row in repetitions.tolist()),
        "relaxed": int(relax),
    }
    return Computed(force_constants, f"{potential.name} ({potential.version})", tuple(warnings), attributes)


def computed_force_constants(
    crystal: Crystal, engine: Engine, repetitions: ArrayLike, cache: Path, *, progress: Progress | None = None
) -> ForceConstants:
    """Force constants of a crystal in a potential, by finite displacements; each supercell is computed once.

    Parameters
    ----------
    crystal
        At rest, or nearly.
    repetitions
        Of the conventional cell, shape (3,) or (3, 3).
    cache
        Folder where the forces in each supercell are kept.
    progress
        Called after each supercell.
    """
    displacements = displace(crystal, repetitions)
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
    return displacements.force_constants(forces)
