"""Sum rules of force constants: nothing is to happen when a crystal is moved or turned as a whole.

What a crystal's force constants miss of them is taken off pairs of atoms, as little as it takes, stiff pairs bearing
more. The change solves a small system of linear equations and shares the symmetry of what it is made from.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

TURNS = np.zeros((3, 3, 3))
"""The antisymmetric tensor ε."""
TURNS[(0, 1, 2), (1, 2, 0), (2, 0, 1)] = 1
TURNS[(0, 1, 2), (2, 0, 1), (1, 2, 0)] = -1

N_TWISTS, N_RULES = 3, 12
"""Conditions of an atom: three that make its force constant with itself symmetric; with nine of turning, twelve."""

SINGULAR = 1e-9
"""Directions in which the equations are weaker than this share of their strongest are left alone."""


def violations(tensors: Array, ways: Array) -> NDArray[np.float64]:
    """How far the force constants of each atom are from the rules, shape (n_atoms, 12).

    First Σ_j Φ_ij − (Σ_j Φ_ij)ᵀ, as three numbers, eV/Å²: the acoustic rule gives the symmetric part to the force
    constant of the atom with itself. Then Σ_j Φ_ij,α × r_ij for each α, eV/Å: the rule of turning (M. Born and
    K. Huang, Dynamical Theory of Crystal Lattices, 1954, § 23).

    Parameters
    ----------
    tensors, ways
        Of each atom and its partners, (n_atoms, n_partners, 3, 3), eV/Å², and the ways to them, (…, 3), Å.
    """
    twist = np.einsum("cab,npab->nc", TURNS, tensors)
    turn = np.einsum("cbg,npab,npg->nac", TURNS, tensors, ways, optimize=True)
    return np.concatenate([twist, turn.reshape(-1, 9)], axis=1)


def mended(
    pairs: NDArray[np.integer], ways: Array, reverse: NDArray[np.integer], stiffness: Array, missed: Array
) -> NDArray[np.float64]:
    """What to take off the force constants of pairs so that the `violations` vanish, (n_pairs, 3, 3), eV/Å².

    Of all changes that keep Φ_ij = Φ_jiᵀ it is the one whose squares, over the stiffnesses, have the smallest sum.

    Parameters
    ----------
    pairs, ways, reverse
        Ordered pairs, shape (2, n_pairs), the way from the first atom to the second, Å, (n_pairs, 3), and the place of
        the same pair the other way round, (n_pairs,).
    stiffness
        Shape (n_pairs,), not negative.
    missed
        The violations, shape (n_atoms, 12).
    """
    n_atoms, (first, second) = len(missed), pairs
    there = np.concatenate(
        [
            np.broadcast_to(TURNS.transpose(1, 2, 0), (len(ways), 3, 3, 3)),
            np.einsum("ad,cbg,pg->pabdc", np.eye(3), TURNS, ways, optimize=True).reshape(-1, 3, 3, 9),
        ],
        axis=3,
    )
    back = there[reverse].transpose(0, 2, 1, 3).reshape(-1, 9, N_RULES)
    there = there.reshape(-1, 9, N_RULES)
    weighted = (stiffness[:, None, None] * there).transpose(0, 2, 1)
    equations = np.zeros((n_atoms, n_atoms, N_RULES, N_RULES))
    np.add.at(equations, (first, first), weighted @ there)
    np.add.at(equations, (first, second), weighted @ back)
    square = equations.transpose(0, 2, 1, 3).reshape(N_RULES * n_atoms, -1)
    solved = np.linalg.pinv(square, rcond=SINGULAR, hermitian=True) @ missed.reshape(-1)
    shares = solved.reshape(n_atoms, N_RULES, 1)
    change = stiffness[:, None, None] * (there @ shares[first] + back @ shares[second])
    return np.asarray(change.reshape(-1, 3, 3))
