"""What a model of force constants learns from: those of pairs of atoms, and lattice dynamics at some wave vectors."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from phonopy.harmonic.dynamical_matrix import DynamicalMatrix, DynamicalMatrixGL

from inscape.lattice.dipoles import (
    Dipoles,
    dipole_matrices,
    from_commensurate,
    screened_splitting,
)
from inscape.lattice.force_constants import ForceConstants
from inscape.lattice.pairs import SAME_WAY
from inscape.units import signed_energies

Array = NDArray[np.floating]

MOST_SCREENING = 1000.0
"""A dielectric tensor with a larger value is that of a metal, whose Born charges mean nothing."""


@dataclass(frozen=True, eq=False)
class DynamicsTargets:
    """Lattice dynamics of one crystal as far as its supercell determines it.

    ``targets`` (n_pairs, 3, 3), eV/Å², where ``known`` (n_pairs,): where the supercell holds one image of the pair that
    is nearest. ``q`` (n_q, 3), Cartesian, 1/Å, commensurate with the supercell, the first Γ; there ``energies`` (n_q,
    n_modes), meV, negative where imaginary, ``modes`` (n_q, n_modes, n_modes) in columns, and ``short``, the dynamical
    matrices, eV/Å²/u. Where there are Born charges (not of a metal), targets and matrices are without the dipoles of
    `screened_splitting`, and ``born`` and ``dielectric`` are not empty.
    """

    targets: NDArray[np.float32]
    known: NDArray[np.bool_]
    q: NDArray[np.float32]
    energies: NDArray[np.float32]
    modes: NDArray[np.complex64]
    short: NDArray[np.complex64]
    born: NDArray[np.float32]
    dielectric: NDArray[np.float32]

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of(
        cls, force_constants: ForceConstants, pairs: NDArray[np.integer], ways: Array, n_q: int, *, seed: int
    ) -> DynamicsTargets:
        """Targets of force constants.

        Parameters
        ----------
        pairs, ways
            Ordered pairs of atoms, shape (2, n_pairs), and the way from the first to the second, (n_pairs, 3), Å.
        n_q
            Wave vectors, drawn with ``seed`` from those that the supercell has.
        """
        matrix = force_constants.phonopy.dynamical_matrix
        assert matrix is not None  # there are force constants
        primitive = matrix.primitive
        q, total = force_constants.commensurate()
        short = total
        charges = np.empty((0, 3, 3)), np.empty((0, 3))
        compact = np.asarray(matrix.force_constants)
        if isinstance(matrix, DynamicalMatrixGL) and _insulates(matrix.dielectric_constant):
            charges = np.asarray(matrix.born), np.asarray(matrix.dielectric_constant)
            splitting = screened_splitting(primitive.cell, charges[1])
            short = total - dipole_matrices(Dipoles.within(matrix), q, np.zeros_like(q), splitting)
            compact = from_commensurate(matrix, lambda _: short)
        nearest = _nearest_images(matrix, compact)
        rounded = np.rint(ways / SAME_WAY).astype(int).tolist()
        found = [nearest.get((i, *way)) for i, way in zip(pairs[0].tolist(), rounded, strict=True)]
        length = np.linalg.norm(q, axis=1)
        at_gamma, others = np.flatnonzero(length == 0), np.flatnonzero(length)
        drawn = np.concatenate([at_gamma, np.random.default_rng(seed).permutation(others)[: n_q - len(at_gamma)]])
        square, modes = np.linalg.eigh(total[drawn])
        return cls(
            targets=np.array([np.zeros((3, 3)) if tensor is None else tensor for tensor in found], dtype=np.float32),
            known=np.array([tensor is not None for tensor in found]),
            q=(2 * np.pi * q[drawn] @ np.linalg.inv(primitive.cell).T).astype(np.float32),
            energies=signed_energies(square).astype(np.float32),
            modes=modes.astype(np.complex64),
            short=short[drawn].astype(np.complex64),
            born=charges[0].astype(np.float32),
            dielectric=charges[1].astype(np.float32),
        )


def _insulates(dielectric: Array) -> bool:
    return bool(np.linalg.eigvalsh(dielectric).max() < MOST_SCREENING)


def _nearest_images(matrix: DynamicalMatrix, compact: Array) -> dict[tuple[int, ...], Array]:
    """Force constants by atom and rounded way, of the pairs of which one image is nearer than all others."""
    ways, images = matrix.primitive.get_smallest_vectors()
    rounded = np.rint(ways @ matrix.primitive.cell / SAME_WAY).astype(int)
    single = np.argwhere(images[:, :, 0] == 1)
    return {(int(atom), *rounded[images[place, atom, 1]].tolist()): compact[atom, place] for place, atom in single}
