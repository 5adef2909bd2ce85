"""Born charges and dielectric tensors: read them, check them, carry them from one description of a crystal to another.

They are kept as phonopy keeps them, a mapping with ``born``, shape (n_atoms, 3, 3), in units of the elementary charge,
``dielectric``, shape (3, 3), and ``factor``, the unit factor of the dipole term.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from phonopy.file_IO import parse_BORN_from_strings
from phonopy.structure.atoms import PhonopyAtoms
from phonopy.structure.symmetry import symmetrize_borns_and_epsilon

from inscape.errors import ForceConstantsError
from inscape.lattice.force_constants import COULOMB, PHONOPY_SYMPREC
from inscape.structures import Crystal

Array = NDArray[np.floating]

SAME_LENGTH = 0.03
"""Two cells are the same if products of their basis vectors agree within this share; potentials err by about 1 %."""

SAME_SITE = 0.3
"""Atoms of two cells are the same if they lie within this distance, Å."""

SEARCHED = 4
"""Lattice vectors of at most so many basis vectors along each are tried as basis vectors of the other cell."""

WORST_ASYMMETRY = 0.1
"""Charges that the symmetry of the crystal changes by more than this, elementary charges, are refused."""

WORST_SUM = 0.3
"""So are those whose sum over the cell, which is 0 for a complete calculation, exceeds this for each atom."""


def parse_born(text: str, primitive: PhonopyAtoms) -> dict[str, Any]:
    """Charges of all atoms of a primitive cell from the text of a BORN file, which lists the independent ones."""
    found: dict[str, Any] = dict(parse_BORN_from_strings(text, primitive, symprec=PHONOPY_SYMPREC))
    return found if found.get("factor") is not None else {**found, "factor": COULOMB}


def born_of_crystal(text: str, crystal: Crystal) -> dict[str, Any]:
    """Charges of the atoms of a crystal from the text of a BORN file in its frame and its order of atoms.

    Raises
    ------
    ForceConstantsError
        Another number of atoms, no dielectric tensor, or tensors that do not fit the symmetry of the crystal.
    """
    try:
        charges = parse_born(text, _cell(crystal))
    except (RuntimeError, ValueError, LookupError) as error:
        raise ForceConstantsError(
            f"cannot be read as a BORN file of {crystal.formula} ({error}); expected a line with the unit factor or a "
            "comment, one with the dielectric tensor, and one for each independent atom of the primitive cell"
        ) from error
    return checked_charges(charges, crystal)


def checked_charges(charges: Mapping[str, Any], crystal: Crystal) -> dict[str, Any]:
    """Charges with the symmetry of a crystal and no sum.

    Raises
    ------
    ForceConstantsError
        A dielectric tensor that is not positive, or charges too far from that symmetry or sum.
    """
    born, dielectric = (np.asarray(charges[name], dtype=float) for name in ("born", "dielectric"))
    finite = np.all(np.isfinite(born)) and np.all(np.isfinite(dielectric))
    if not finite or np.linalg.eigvalsh(0.5 * (dielectric + dielectric.T)).min() <= 0:
        raise ForceConstantsError(
            f"the dielectric tensor {np.round(dielectric, 3).tolist()} is not positive, or a charge not finite; "
            "give another file"
        )
    if np.abs(born.sum(axis=0)).max() > WORST_SUM * len(born):
        raise ForceConstantsError(
            f"the Born charges of {crystal.formula} sum to {np.abs(born.sum(axis=0)).max():.2f} e over the cell, "
            "expected 0: they belong to another cell, or their order is not that of its atoms"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of what is refused here
        symmetric, tensor = symmetrize_borns_and_epsilon(born, dielectric, _cell(crystal), symprec=PHONOPY_SYMPREC)
    if (worst := np.abs(symmetric - born).max()) > WORST_ASYMMETRY:
        raise ForceConstantsError(
            f"the Born charges do not have the symmetry of {crystal.formula} ({crystal.space_group}), by "
            f"{worst:.2f} e: they belong to another orientation or order of atoms; give the calculation itself, "
            "in which both are written"
        )
    return {**charges, "born": symmetric, "dielectric": tensor}


def charges_on(crystal: Crystal, other: Crystal, charges: Mapping[str, Any]) -> dict[str, Any] | None:
    """Charges of another description of the same crystal, turned into the frame and order of atoms of this one.

    Basis vectors, orientation, origin, order of atoms and handedness may differ, lengths and positions a little
    (`SAME_LENGTH`, `SAME_SITE`).

    Returns
    -------
    dict
        None if the two are not the same crystal.

    References
    ----------
    Under a rotation R of the crystal, v → v R for rows v, a tensor of second rank becomes Rᵀ Z R.
    """
    if sorted(other.numbers) != sorted(crystal.numbers):
        return None
    best, least = None, np.inf
    for basis in _same_cells(other.lattice, crystal.lattice):
        turned = other.positions @ np.linalg.inv(basis)
        order, distance = _same_sites(turned, other.numbers, crystal)
        if distance < least:
            best, least = (basis, order), distance
    if best is None or least > SAME_SITE:
        return None
    basis, order = best
    left, _, right = np.linalg.svd(np.linalg.inv(basis @ other.lattice) @ crystal.lattice)
    rotation = left @ right
    born, dielectric = (rotation.T @ np.asarray(charges[name]) @ rotation for name in ("born", "dielectric"))
    return {"born": born[order], "dielectric": dielectric, "factor": charges["factor"]}


def _cell(crystal: Crystal) -> PhonopyAtoms:
    lattice, positions = (np.asarray(a, dtype=np.float64) for a in (crystal.lattice, crystal.positions))
    return PhonopyAtoms(cell=lattice, scaled_positions=positions, numbers=crystal.numbers)


def _same_cells(old: Array, new: Array) -> Iterator[NDArray[np.int64]]:
    """Whole matrices M for which the rows of M @ old are those of ``new``, turned or mirrored and hardly strained."""
    steps = np.stack(np.meshgrid(*[np.arange(-SEARCHED, SEARCHED + 1)] * 3), axis=-1).reshape(-1, 3)
    vectors = steps @ old
    lengths, wanted = np.linalg.norm(vectors, axis=1), np.linalg.norm(new, axis=1)
    fitting = [np.flatnonzero(np.abs(lengths / length - 1) < SAME_LENGTH) for length in wanted]

    def agree(i: int, j: int, first: Any, second: Any) -> bool:
        difference = vectors[first] @ vectors[second] - new[i] @ new[j]
        return bool(abs(difference) < SAME_LENGTH * wanted[i] * wanted[j])

    for first, second in itertools.product(fitting[0], fitting[1]):
        if agree(0, 1, first, second):
            for third in fitting[2]:
                matrix = steps[[first, second, third]]
                if agree(0, 2, first, third) and agree(1, 2, second, third) and abs(np.linalg.det(matrix)) > 0.5:
                    yield matrix


def _same_sites(positions: Array, numbers: NDArray[np.integer], crystal: Crystal) -> tuple[NDArray[np.int64], float]:
    """Which of the atoms lies at each site of a crystal, origins made to agree, and the largest distance, Å."""
    rarest = min(set(numbers.tolist()), key=numbers.tolist().count)
    start = int(np.flatnonzero(numbers == rarest)[0])
    best, least = np.arange(len(numbers)), np.inf
    for site in np.flatnonzero(crystal.numbers == rarest):
        steps = positions[None] + (crystal.positions[site] - positions[start]) - crystal.positions[:, None]
        steps -= np.rint(steps)
        distances = np.linalg.norm(steps @ crystal.lattice, axis=-1)
        distances[crystal.numbers[:, None] != numbers[None]] = np.inf
        order = distances.argmin(axis=1)
        if len(set(order.tolist())) < len(order):
            continue
        paired = steps[np.arange(len(order)), order]
        largest = np.linalg.norm((paired - paired.mean(axis=0)) @ crystal.lattice, axis=-1).max()
        if largest < least:
            best, least = order, float(largest)
    return best, float(least)
