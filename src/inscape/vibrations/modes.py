"""All modes at one wave vector, in degenerate sets, with what symmetry says of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inscape.errors import DataError, GridError
from inscape.lattice import ForceConstants, modes_at
from inscape.lattice.symmetry import GammaModes, acoustic_shares, gamma_modes, mode_symmetry
from inscape.scattering import special_points
from inscape.scattering.path import GAMMA
from inscape.structures import Crystal

Array = NDArray[np.floating]

SAME_ENERGY = 1e-3
"""Away from Γ, and with a macroscopic field, modes closer than this, meV, are taken as degenerate."""

SMALLEST_SHARE = 1e-3
"""Shares of a mode below this are errors of the force constants, not part of it."""

GAMMA_NAMES = frozenset({"GAMMA", "G", "Γ"})


@dataclass(frozen=True, eq=False)
class Vibrations:
    """Modes at one wave vector.

    Parameters
    ----------
    crystal
        The primitive cell.
    q
        Wave vector, r.l.u. of the conventional cell, shape (3,).
    energies
        Shape (3 n_atoms,), meV, increasing; an imaginary mode has a negative value.
    polarisations
        Shape (3 n_atoms, n_atoms, 3), of norm 1 each, with the phase of `inscape.Modes`.
    sets
        Modes that are degenerate, counted from 0.
    labels
        Irreducible representation of each set, at Γ; None where there is none. From a direction, those without field
        that a set is made of, as ``A1 + E1``.
    activities
        "infrared", "Raman", "infrared, Raman", "silent" or "acoustic" for each set; None away from Γ.
    splitting
        "LO" or "TO" for each set that makes or hardly makes a macroscopic field along the direction, "mixed" between
        the two; None for all others.
    point_group
        Hermann–Mauguin symbol, at Γ.
    notes
        What the table lacks, and why.
    """

    crystal: Crystal
    q: Array
    energies: Array
    polarisations: NDArray[np.complexfloating]
    sets: tuple[tuple[int, ...], ...]
    labels: tuple[str | None, ...]
    activities: tuple[str | None, ...]
    splitting: tuple[str | None, ...]
    point_group: str | None
    notes: tuple[str, ...]

    @property
    def is_gamma(self) -> bool:
        """Whether the wave vector is Γ."""
        return not self.q.any()


def vibrations(
    force_constants: ForceConstants, q: str | ArrayLike = GAMMA, *, direction: ArrayLike | None = None
) -> Vibrations:
    """Modes at a wave vector, with their symmetry at Γ.

    Parameters
    ----------
    q
        What `wave_vector` takes.
    direction
        Direction from which Γ is approached, r.l.u. of the conventional cell, any length. With Born charges,
        longitudinal modes along it are higher than transverse ones.

    Raises
    ------
    GridError
        A wave vector or direction that is none.
    DataError
        A direction where none matters: away from Γ, or without Born charges.
    """
    crystal = force_constants.crystal
    point = wave_vector(crystal, q)
    if direction is not None:
        return _from_direction(force_constants, point, direction)
    if point.any():
        return _away_from_gamma(force_constants, point)
    found, labels, activities, point_group = _without_field(force_constants)
    notes = []
    if None in labels:
        notes.append(f"no table has all irreducible representations of point group {point_group} in this setting")
    if force_constants.has_born and any("infrared" in words for words in activities):
        notes.append(
            "without macroscopic field, infrared-active modes are transverse: longitudinal ones need a direction"
        )
    nothing = (None,) * len(found.sets)
    polarisations = found.polarisations.astype(complex)
    return Vibrations(
        crystal, point, found.energies, polarisations, found.sets, labels, activities, nothing, point_group,
        tuple(notes),
    )  # fmt: skip


def wave_vector(crystal: Crystal, q: str | ArrayLike) -> Array:
    """A wave vector in r.l.u. of the conventional cell, shape (3,), from its label or from three numbers.

    Reciprocal-lattice vectors are Γ, (0, 0, 0).

    Raises
    ------
    GridError
        A label that the lattice does not have, or anything but three finite numbers.
    """
    if isinstance(q, str):
        points = special_points(crystal)
        name = GAMMA if q.strip().upper() in GAMMA_NAMES else q.strip()
        if name not in points:
            raise GridError(
                f"{q!r} is no special point of {crystal.space_group}; it has {', '.join(points)}, or give three "
                "numbers, r.l.u. of the conventional cell"
            )
        return points[name].round(8) + 0.0
    found = _three_numbers(q, "wave vector")
    fractional = _primitive(crystal, found)
    return np.zeros(3) if np.all(np.abs(fractional - np.rint(fractional)) < 1e-6) else found


def check_mode(found: Vibrations, number: int) -> int:
    """The index of a mode from its number, counted from 1; `DataError` if there is none."""
    if not 1 <= number <= len(found.energies):
        raise DataError(
            f"there is no mode {number}: {found.crystal.formula} has modes 1 to {len(found.energies)}, three for each "
            f"of the {found.crystal.n_atoms} atoms of its primitive cell"
        )
    return number - 1


def _three_numbers(values: ArrayLike, name: str) -> Array:
    found = np.asarray(values, dtype=float)
    if found.shape != (3,) or not np.all(np.isfinite(found)):
        raise GridError(f"{name} is {values!r}; expected three finite numbers, r.l.u. of the conventional cell")
    return found


def _primitive(crystal: Crystal, q: Array) -> Array:
    """From r.l.u. of the conventional cell to fractions of the primitive reciprocal lattice."""
    return np.asarray(q @ crystal.reciprocal_conventional @ np.linalg.inv(crystal.reciprocal))


def _away_from_gamma(force_constants: ForceConstants, q: Array) -> Vibrations:
    crystal = force_constants.crystal
    modes = modes_at(force_constants, _primitive(crystal, q))
    energies = modes.energies[0]
    sets = _runs(energies)
    nothing = (None,) * len(sets)
    note = "no irreducible representations and activities: they are given at Γ only, where light excites single modes"
    return Vibrations(
        crystal, q, energies, modes.polarisations[0], sets, nothing, nothing, nothing, None, (note,)
    )  # fmt: skip


def _runs(energies: Array) -> tuple[tuple[int, ...], ...]:
    """Neighbouring modes of the same energy."""
    starts = np.flatnonzero(np.diff(energies) > SAME_ENERGY) + 1
    return tuple(tuple(run.tolist()) for run in np.split(np.arange(len(energies)), starts))


def _without_field(
    force_constants: ForceConstants,
) -> tuple[GammaModes, tuple[str | None, ...], tuple[str, ...], str]:
    """Modes at Γ without macroscopic field: sets, labels, activities, point group."""
    crystal = force_constants.crystal
    found = gamma_modes(modes_at(force_constants, np.zeros(3)))
    symmetry = mode_symmetry(crystal, found)
    acoustic = acoustic_shares(found.polarisations, crystal.masses)
    activities = []
    for one, infrared, raman in zip(found.sets, symmetry.infrared, symmetry.raman, strict=True):
        activities.append("acoustic" if acoustic[one[0]] > 0.5 else activity(infrared=infrared, raman=raman))
    return found, symmetry.labels, tuple(activities), symmetry.point_group


def activity(*, infrared: bool, raman: bool) -> str:
    """What light may excite, in words."""
    words = [word for word, active in (("infrared", infrared), ("Raman", raman)) if active]
    return ", ".join(words) or "silent"


def _from_direction(force_constants: ForceConstants, q: Array, direction: ArrayLike) -> Vibrations:
    """Modes at Γ as approached from a direction, described by the modes without field that they are made of."""
    crystal = force_constants.crystal
    given = _three_numbers(direction, "direction")
    if not given.any():
        raise GridError("direction is 0, 0, 0; expected the direction from which Γ is approached, as 0, 0, 1")
    if q.any() or not force_constants.has_born:
        reason = "the wave vector is not Γ" if q.any() else "there are no Born charges"
        raise DataError(f"a direction was given but {reason}, so that modes do not depend on it; leave it out")
    along = given @ crystal.reciprocal_conventional
    along /= np.linalg.norm(along)
    found = modes_at(force_constants, np.zeros(3), directions=along)
    energies, polarisations = found.energies[0], found.polarisations[0]
    sets = _runs(energies)
    plain, names, activities, point_group = _without_field(force_constants)
    labels, active = [], []
    n = len(plain.energies)
    overlaps = np.abs(polarisations.reshape(n, -1) @ plain.polarisations.reshape(n, -1).T) ** 2
    for one in sets:
        shares = [float(overlaps[np.ix_(one, other)].sum()) / len(one) for other in plain.sets]
        labels.append(_sum_of(names, shares))
        active.append(_sum_of_activities(activities, shares))
    title = " ".join(f"{x:g}" for x in given)
    splitting = _splitting(force_constants, polarisations, sets, active, along)
    return Vibrations(
        crystal, q, energies, polarisations, sets, tuple(labels), tuple(active), splitting, point_group,
        (f"Γ is approached along ({title})",),
    )  # fmt: skip


def _sum_of(names: tuple[str | None, ...], shares: list[float]) -> str | None:
    """Names of the parts of a mode, the largest first; None if one has no name."""
    parts: dict[str | None, float] = {}
    for name, share in zip(names, shares, strict=True):
        parts[name] = parts.get(name, 0.0) + share
    kept = sorted((name for name in parts if parts[name] > SMALLEST_SHARE), key=lambda name: -parts[name])
    return None if None in kept else " + ".join(str(name) for name in kept)


def _sum_of_activities(activities: tuple[str, ...], shares: list[float]) -> str:
    parts = [a for a, share in zip(activities, shares, strict=True) if share > SMALLEST_SHARE]
    if parts == ["acoustic"] * len(parts):
        return "acoustic"
    return activity(infrared=any("infrared" in a for a in parts), raman=any("Raman" in a for a in parts))


def _splitting(
    force_constants: ForceConstants, vectors: Array, sets: tuple[tuple[int, ...], ...], active: list[str], along: Array
) -> tuple[str | None, ...]:
    """LO, TO or mixed for infrared-active sets, by the part of their dipole moment that lies along the direction."""
    charges: Any = force_constants.phonopy.nac_params
    roots = np.sqrt(force_constants.crystal.masses)[:, None]
    moments = np.einsum("dab,mdb->ma", np.asarray(charges["born"]), vectors / roots)
    square, part = np.sum(np.abs(moments) ** 2, axis=1), np.abs(moments @ along) ** 2
    words: list[str | None] = []
    for one, light in zip(sets, active, strict=True):
        size = float(square[list(one)].sum())
        share = float(part[list(one)].sum()) / size if "infrared" in light and size > 0 else None
        words.append(None if share is None else "LO" if share > 0.99 else "TO" if share < 0.01 else "mixed")
    return tuple(words)
