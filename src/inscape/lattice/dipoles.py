"""Dynamical matrices of crystals with Born charges: phonopy's, with the sum over dipoles as matrix products.

Gonze and Lee split the force constants into a short-range part and the interaction of dipoles, an Ewald sum over
reciprocal-lattice vectors G. phonopy evaluates that sum pair by pair of atoms; what a term has of the wave vector is
a tensor, what it has of the pair a phase, so for all wave vectors and pairs the sum is one product of two matrices.

phonopy leaves the part of the Ewald sum in real space to the interpolation of the short-range force constants. That is
right if it has died away within the supercell. phonopy's own splitting, by a number of G, does not see to it: in cells
of 10 to 30 atoms modes are then off by 0.01 to 1 meV. `ewald_splitting` chooses the splitting by the supercell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from phonopy.harmonic.dynamical_matrix import (
    DynamicalMatrix,
    DynamicalMatrixGL,
    DynamicalMatrixNAC,
    get_dynamical_matrices_at_qpoints,
)
from phonopy.harmonic.dynmat_to_fc import DynmatToForceConstants
from phonopy.structure.atoms import PhonopyAtoms
from phonopy.structure.brillouin_zone import BrillouinZone

from inscape.lattice.fourier import LatticeSum

Array = NDArray[np.floating]

BLOCK = 64
"""Wave vectors at a time: few, so that their arrays stay in the cache."""

CHUNK_BYTES = 32_000_000
"""Of the phases of all pairs of atoms that are held at a time, however large the cell."""

COMPONENTS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
"""Of a symmetric tensor."""

SPREAD = 3.2
"""Smearing times half the shortest period of the supercell: erfc(3.2) = 6·10⁻⁶ of the real-space part is left there."""

SCREENING = 1.2
"""Length of `screened_splitting`, Å: erfc(r/1.2 Å) of the part in real space is left at a distance r."""

SMALLEST_WEIGHT = 1e-6
"""The sum over G ends where its Gaussian has fallen to this: energies are right within 1e-5 meV."""

AT_GAMMA = 1e-5
"""A wave vector shorter than this, 1/Å without the 2π, is Γ itself (phonopy's tolerance)."""


def ewald_splitting(supercell: Array, primitive: Array, dielectric: Array) -> dict[str, float]:
    """Smearing Λ and largest G of the sum over dipoles, for phonopy's ``nac_params``.

    Parameters
    ----------
    supercell, primitive
        Rows are the basis vectors of the supercell and of the primitive cell, shape (3, 3), Å.
    dielectric
        Shape (3, 3).

    Returns
    -------
    dict
        ``Lambda`` and ``G_cutoff``, 1/Å without the 2π.

    References
    ----------
    X. Gonze, C. Lee, Phys. Rev. B 55, 10355 (1997), eq. 71: in real space the sum falls as erfc(2πΛ √(r·ε⁻¹·r)), in
    reciprocal space as exp(−K·ε·K/4Λ²).
    """
    steps = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3), axis=-1).reshape(-1, 3)
    periods = steps[np.any(steps != 0, axis=1)] @ supercell
    shortest = np.sqrt(np.einsum("ia,ab,ib->i", periods, np.linalg.inv(dielectric), periods).min())
    return _splitting(SPREAD / (2 * np.pi * shortest / 2), primitive, dielectric)


def screened_splitting(primitive: Array, dielectric: Array) -> dict[str, float]:
    """A splitting that no supercell enters: the part in real space ends within `SCREENING` of each atom, Å.

    What is left without the sum over dipoles then means the same in all crystals.
    """
    return _splitting(np.sqrt(np.trace(dielectric) / 3) / (2 * np.pi * SCREENING), primitive, dielectric)


def _splitting(smearing: float, primitive: Array, dielectric: Array) -> dict[str, float]:
    """A smearing, and the largest G that it needs."""
    cutoff = 2 * smearing * np.sqrt(-np.log(SMALLEST_WEIGHT) / np.linalg.eigvalsh(dielectric).min())
    corners = np.stack(np.meshgrid(*[(-0.5, 0.5)] * 3), axis=-1).reshape(-1, 3) @ np.linalg.inv(primitive).T
    cutoff += np.linalg.norm(corners, axis=1).max()  # q + G shall be complete, wherever q lies in the zone
    return {"Lambda": float(smearing), "G_cutoff": float(cutoff)}


@dataclass(frozen=True, eq=False)
class Dipoles:
    """What the sum over dipoles is made of.

    Basis vectors of the ``supercell`` in rows, (3, 3), Å; the ``primitive`` cell and the ``masses`` of its atoms, u;
    ``born`` charges (n_atoms, 3, 3) and ``dielectric`` (3, 3); ``factor``, e²/4πε₀ in eV Å as of phonopy.
    """

    supercell: Array
    primitive: PhonopyAtoms
    masses: Array
    born: Array
    dielectric: Array
    factor: float

    @cached_property
    def splitting(self) -> dict[str, float]:
        """That of `ewald_splitting` for the supercell."""
        return ewald_splitting(self.supercell, self.primitive.cell, self.dielectric)

    @classmethod
    def of(cls, supercell: Array, primitive: PhonopyAtoms, masses: Array, charges: Mapping[str, Any]) -> Dipoles:
        """Of charges as in phonopy's ``nac_params``."""
        born, dielectric = np.asarray(charges["born"]), np.asarray(charges["dielectric"])
        return cls(supercell, primitive, masses, born, dielectric, float(charges["factor"]))

    @classmethod
    def within(cls, matrix: DynamicalMatrixGL) -> Dipoles:
        """Of the charges that phonopy's dynamical matrix holds."""
        factor = matrix.nac_factor * matrix.primitive.volume / (4 * np.pi)
        charges = {"born": matrix.born, "dielectric": matrix.dielectric_constant, "factor": factor}
        return cls.of(matrix.supercell.cell, matrix.primitive, matrix.normalization_masses, charges)


def short_range(matrix: DynamicalMatrix) -> DynamicalMatrix:
    """What is left of the lattice dynamics without the sum over dipoles, as short-range force constants.

    Parameters
    ----------
    matrix
        phonopy's dynamical matrix; returned as it is unless it has Born charges and Gonze and Lee's dipole term.

    References
    ----------
    X. Gonze, C. Lee, Phys. Rev. B 55, 10355 (1997), section V.A: dipoles are taken out at the wave vectors that are
    commensurate with the supercell.
    """
    if not isinstance(matrix, DynamicalMatrixGL):
        return matrix
    whole, dipoles = LatticeSum.of(matrix), Dipoles.within(matrix)

    def matrices(q: Array) -> NDArray[np.complex128]:
        return whole(q) - dipole_matrices(dipoles, q, np.zeros_like(q))

    return DynamicalMatrix(matrix.supercell, matrix.primitive, from_commensurate(matrix, matrices))


def commensurate_points(matrix: DynamicalMatrix) -> NDArray[np.float64]:
    """Wave vectors commensurate with the supercell, each in the first Brillouin zone, for `from_commensurate`.

    Shape (n_q, 3), fractions of the primitive reciprocal lattice.
    """
    return np.asarray(_inverse(matrix).commensurate_points)


def _inverse(matrix: DynamicalMatrix) -> DynmatToForceConstants:
    """phonopy's way from dynamical matrices back to force constants, with its wave vectors in the first zone."""
    found = DynmatToForceConstants(matrix.primitive, matrix.supercell, is_full_fc=False)
    found.commensurate_points = nearest_to_gamma(matrix.primitive.cell, found.commensurate_points)
    return found


def nearest_to_gamma(cell: Array, q: Array) -> NDArray[np.float64]:
    """Wave vectors (n_q, 3) moved into the first Brillouin zone of a cell, fractions of the reciprocal lattice."""
    zone = BrillouinZone(np.asarray(np.linalg.inv(cell), dtype=np.float64))
    zone.run(np.asarray(q, dtype=np.float64))
    return np.array([nearest[0] for nearest in zone.shortest_qpoints])


def from_commensurate(
    matrix: DynamicalMatrix, matrices: Callable[[Array], NDArray[np.complex128]]
) -> NDArray[np.float64]:
    """Compact force constants, shape (n_atoms, n_supercell, 3, 3), from dynamical matrices at wave vectors.

    Parameters
    ----------
    matrix
        Of the same cells.
    matrices
        Gives those at the wave vectors that are commensurate with the supercell, each in the first Brillouin zone, for
        which sums over dipoles are made; shape (n_q, 3) in fractions of the reciprocal lattice.
    """
    back = _inverse(matrix)
    back.dynamical_matrices = list(matrices(back.commensurate_points))
    back.run()
    assert back.force_constants is not None
    return np.asarray(back.force_constants)


def dynamical_matrices(
    matrix: DynamicalMatrix, short: LatticeSum, q: Array, directions: Array
) -> NDArray[np.complex128]:
    """Dynamical matrices at wave vectors within the first Brillouin zone, as phonopy's own function gives them.

    Parameters
    ----------
    matrix
        phonopy's dynamical matrix, with Born charges or without.
    short
        The sum over the force constants that are left without dipoles, those of `short_range`.
    q
        Shape (n_q, 3), fractions of the primitive reciprocal lattice.
    directions
        Directions from which Γ is approached, shape (n_q, 3), Cartesian, of any length; used where q is Γ and there
        are Born charges. Along 0, Γ has no macroscopic field: all its polar modes are transverse.

    Returns
    -------
    NDArray
        Shape (n_q, 3 n_atoms, 3 n_atoms), eV/Å²/u.
    """
    if isinstance(matrix, DynamicalMatrixGL):
        return short(q) + dipole_matrices(Dipoles.within(matrix), q, directions)
    if isinstance(matrix, DynamicalMatrixNAC):
        found = np.asarray(get_dynamical_matrices_at_qpoints(matrix, np.asarray(q, dtype=np.float64)))
        _approach_gamma(found, matrix, q, directions)
        return found
    return short(q)


def _approach_gamma(
    found: NDArray[np.complex128],
    matrix: DynamicalMatrixNAC,
    q: Array,
    directions: Array,
) -> None:
    """Replace the matrices at Γ by their limits along the directions; for other dipole terms than Gonze and Lee's."""
    at_gamma = np.linalg.norm(q @ np.linalg.inv(matrix.primitive.cell).T, axis=1) < AT_GAMMA
    for index in np.flatnonzero(at_gamma & directions.any(axis=1)):
        fractional = matrix.primitive.cell @ directions[index]
        found[index] = get_dynamical_matrices_at_qpoints(matrix, q[index], nac_q_direction=fractional)


def dipole_matrices(
    dipoles: Dipoles,
    q: Array,
    directions: Array,
    splitting: Mapping[str, float] | None = None,
) -> NDArray[np.complex128]:
    """Z_d·T_dd'·Z_d'/√(M_d M_d') with T of `_dipole_sums`, less the Hermitian part of its sum over d' at q = 0.

    Parameters
    ----------
    q, directions
        As of `dynamical_matrices`.
    splitting
        That of the dipoles unless given.

    Returns
    -------
    NDArray
        Shape (n_q, 3 n_atoms, 3 n_atoms), eV/Å²/u.
    """
    split = splitting or dipoles.splitting
    n_atoms = len(dipoles.primitive)
    first, second = np.triu_indices(n_atoms)
    none = np.zeros((1, 3))
    sums = _dipole_sums(dipoles, np.vstack([q, none]), np.vstack([directions, none]), (first, second), split)
    roots = np.sqrt(dipoles.masses)
    charges = dipoles.born / roots[:, None, None]
    contraction = np.stack([_pair_charges(charges[first], charges[second], a, b) for a, b in COMPONENTS], axis=-1)
    found = np.empty((len(q) + 1, n_atoms, 3, n_atoms, 3), dtype=complex)
    for part in (slice(start, start + BLOCK) for start in range(0, len(found), BLOCK)):
        real, imaginary = (contraction @ component.transpose(1, 0, 2) for component in sums[..., part])
        blocks = (real + 1j * imaginary).reshape(len(first), 3, 3, -1)
        both = np.empty((n_atoms, n_atoms, *blocks.shape[1:]), dtype=complex)
        both[first, second] = blocks
        both[second, first] = blocks.conj().swapaxes(1, 2)
        found[part] = both.transpose(4, 0, 2, 1, 3)
    each = np.arange(n_atoms)
    own = np.einsum("iajb,i,j->iab", found[-1], 1 / roots, roots)
    found[:-1, each, :, each, :] -= 0.5 * (own + own.conj().transpose(0, 2, 1))[:, None]
    return found[:-1].reshape(len(q), 3 * n_atoms, 3 * n_atoms)


def _dipole_sums(
    dipoles: Dipoles,
    q: Array,
    directions: Array,
    pairs: tuple[NDArray[np.intp], NDArray[np.intp]],
    split: Mapping[str, float],
) -> NDArray[np.float64]:
    """T_dd' = Σ_G K K exp(−K·ε·K/4Λ²)/(K·ε·K) exp(iG·(r_d − r_d')), K = q + G, for pairs of atoms d, d'.

    Where K is 0, the term is its limit along the direction n, n n/(n·ε·n), or nothing where n is 0. G and −G are taken
    together: the sum of their terms goes with the cosine, the difference with the sine.

    Returns
    -------
    NDArray
        Real and imaginary parts of `COMPONENTS` of the tensors, shape (2, 6, n_pairs, n_q).
    """
    steps = dipoles.primitive.positions[pairs[0]] - dipoles.primitive.positions[pairs[1]]
    starts = np.linalg.inv(dipoles.primitive.cell) @ q.T
    half = _half_of_lattice(dipoles.primitive.cell, split["G_cutoff"])
    terms = partial(_terms, dipoles, split["Lambda"])
    found = np.zeros((2, 6, len(steps), len(q)))
    found[0] = terms(starts[:, None], directions)
    chunk = max(1, CHUNK_BYTES // (8 * (12 * BLOCK + 2 * len(steps))))
    for some in (half[start : start + chunk] for start in range(0, len(half), chunk)):
        angle = 2 * np.pi * steps @ some.T
        cosine, sine = np.cos(angle), np.sin(angle)
        both = np.concatenate([some, -some]).T[:, :, None]
        for part in (slice(start, start + BLOCK) for start in range(0, len(q), BLOCK)):
            plus, minus = np.split(terms(starts[:, None, part] + both, directions[part]), 2, axis=1)
            found[0, :, :, part] += cosine @ (plus + minus)
            found[1, :, :, part] += sine @ (plus - minus)
    return found


def _half_of_lattice(cell: Array, cutoff: float) -> NDArray[np.float64]:
    """One of each pair G, −G within the cutoff, without G = 0, shape (n, 3), 1/Å without the 2π."""
    reach = np.ceil(cutoff * np.linalg.norm(cell, axis=1)).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    vectors = grid[len(grid) // 2 + 1 :] @ np.linalg.inv(cell).T  # the grid is odd, and 0 in its middle
    return np.asarray(vectors[np.linalg.norm(vectors, axis=1) < cutoff])


def _terms(dipoles: Dipoles, smearing: float, k: Array, directions: Array) -> NDArray[np.float64]:
    """K K exp(−K·ε·K/4Λ²)/(K·ε·K) for K of shape (3, n, n_q), as `COMPONENTS`, shape (6, n, n_q)."""
    zero = np.square(k).sum(axis=0) < AT_GAMMA**2
    if zero.any():
        k = k.copy()
        k[:, zero] = directions[zero.nonzero()[1]].T
    found = np.stack([k[a] * k[b] for a, b in COMPONENTS])
    whole = dipoles.dielectric + dipoles.dielectric.T
    metric = np.tensordot([whole[a, b] / (2 if a == b else 1) for a, b in COMPONENTS], found, axes=1)
    weight = np.where(zero, 1.0, np.exp(metric / (-4 * smearing**2)))
    weight *= 4 * np.pi * dipoles.factor / dipoles.primitive.volume
    found *= np.divide(weight, metric, out=np.zeros_like(metric), where=metric > 0)
    return found


def _pair_charges(first: Array, second: Array, a: int, b: int) -> NDArray[np.float64]:
    """What a component of a symmetric tensor gives of Z_d·T·Z_d' for pairs of Z (n_pairs, 3, 3): (n_pairs, 9)."""
    found = first[:, a, :, None] * second[:, b, None, :]
    if a != b:
        found = found + first[:, b, :, None] * second[:, a, None, :]
    return found.reshape(-1, 9)
