"""The conventional cell of a crystal as it is drawn: atoms, and the bonds between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.data import covalent_radii
from ase.neighborlist import primitive_neighbor_list
from numpy.typing import NDArray

from inscape.structures import Crystal

Array = NDArray[np.floating]

TOLERANCE = 0.3
"""Atoms are bonded up to this far beyond the sum of their covalent radii, Å."""

ON_FACE = 1e-3
"""Atoms this close to a face of the cell, Å, are drawn on the opposite face too."""


@dataclass(frozen=True, eq=False)
class DrawnCell:
    """Atoms and bonds of a conventional cell.

    Parameters
    ----------
    lattice
        Rows are the basis vectors of the conventional cell, shape (3, 3), Å.
    positions
        Cartesian, shape (n, 3), Å: the atoms of the cell, those on faces, edges and corners repeated on the others.
    symbols
        Of each atom.
    bonds
        Numbers of two atoms each, shape (n_bonds, 2), the lower first.
    """

    lattice: Array
    positions: Array
    symbols: tuple[str, ...]
    bonds: NDArray[np.int64]


def drawn_cell(crystal: Crystal) -> DrawnCell:
    """The conventional cell of a crystal, with the bonds between the atoms drawn.

    References
    ----------
    B. Cordero et al., Dalton Trans. 2832 (2008): covalent radii, as in ``ase.data``.
    """
    lattice = crystal.conventional_lattice
    inside, kinds = _conventional_atoms(crystal)
    fractional, kinds = _with_faces(inside, kinds, lattice)
    positions = fractional @ lattice
    radii = covalent_radii[crystal.numbers[kinds]]
    i, j = primitive_neighbor_list(  # type: ignore[no-untyped-call]
        "ij", (False, False, False), lattice, positions, list(radii + TOLERANCE / 2), self_interaction=False
    )
    pairs = np.column_stack([i, j])
    return DrawnCell(lattice, positions, tuple(crystal.symbols[k] for k in kinds), pairs[i < j].astype(np.int64))


def _conventional_atoms(crystal: Crystal) -> tuple[Array, NDArray[np.int64]]:
    """Fractional positions in the conventional cell, shape (n, 3), in [0, 1), and numbers of the primitive atoms."""
    transformation = crystal.conventional_transformation
    count = round(abs(np.linalg.det(transformation)))
    reach = int(np.abs(transformation).sum(axis=0).max())
    steps = np.arange(-reach, reach + 1)
    translations = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    into = np.linalg.inv(transformation)
    shifts = np.unique(np.round(translations @ into % 1.0, 6) % 1.0, axis=0)
    assert len(shifts) == count
    fractional = (crystal.positions @ into)[:, None] + shifts
    fractional = fractional - np.floor(fractional + 1e-9)
    return fractional.reshape(-1, 3), np.repeat(np.arange(crystal.n_atoms), count)


def _with_faces(fractional: Array, kinds: NDArray[np.int64], lattice: Array) -> tuple[Array, NDArray[np.int64]]:
    """The same, with atoms on a face repeated on the opposite one."""
    lengths = np.linalg.norm(lattice, axis=1)
    for axis in range(3):
        close = fractional[:, axis] * lengths[axis] < ON_FACE
        again = fractional[close].copy()
        again[:, axis] += 1.0
        fractional, kinds = np.concatenate([fractional, again]), np.concatenate([kinds, kinds[close]])
    return fractional, kinds
