"""How far force constants reach: whether a supercell holds them."""

from __future__ import annotations

import numpy as np

from inscape.lattice.force_constants import ForceConstants

SLACK = 1e-3
"""Distances are compared within this, Å."""


def boundary_share(force_constants: ForceConstants) -> float:
    """The largest force constant at the boundary of the supercell, as a share of the largest between two atoms.

    Atoms count as at the boundary where they are no nearer than half the shortest period of the supercell: of the atoms
    at such a distance, the supercell holds some only. With Born charges, the interaction of dipoles is left out, which
    has no end and is summed exactly.

    Returns
    -------
    float
        From 0 to 1; 1 as well where the supercell holds one atom.
    """
    ph = force_constants.phonopy
    norms = np.linalg.norm(force_constants.short_range.force_constants, axis=(2, 3))
    vectors, multiplicity = ph.primitive.get_smallest_vectors()
    nearest = vectors[multiplicity[:, :, 1].T] @ ph.primitive.cell
    distances = np.linalg.norm(nearest, axis=-1)
    apart = distances > SLACK
    largest = norms[apart].max(initial=0.0)
    steps = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3), axis=-1).reshape(-1, 3)
    periods = np.linalg.norm(steps[np.any(steps != 0, axis=1)] @ ph.supercell.cell, axis=1)
    outside = apart & (distances > periods.min() / 2 - SLACK)
    return float(norms[outside].max(initial=0.0) / largest) if largest > 0 else 1.0
