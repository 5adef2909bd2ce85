"""Force constants in a supercell of whole primitive cells, by Fourier sums alone.

phonopy builds such cells with all that displacements need, which takes tens of milliseconds. Where the supercell
repeats the primitive cell along its own basis vectors, atoms, wave vectors and sums follow from whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from phonopy import Phonopy
from phonopy.structure.cells import get_smallest_vectors

from inscape.lattice.dipoles import Dipoles, dipole_matrices, nearest_to_gamma
from inscape.lattice.force_constants import (
    PHONOPY_SYMPREC,
    ForceConstants,
    check_finite,
    from_phonopy,
    new_phonopy,
    phonopy_atoms,
)
from inscape.lattice.fourier import LatticeSum, NearestImages
from inscape.structures import Crystal

Array = NDArray[np.floating]


class Supercell:
    """A crystal's primitive cell, repeated along each of its basis vectors.

    Force constants in it are arrays of shape (n_atoms, n_atoms, n_cells, 3, 3), eV/Å²: of an atom of the first cell
    with one of each cell, the last number of a cell running fastest.

    Parameters
    ----------
    crystal
        The primitive cell.
    repetitions
        How often along each vector, shape (3,).
    """

    def __init__(self, crystal: Crystal, repetitions: NDArray[np.integer]) -> None:
        self.crystal, self.repetitions = crystal, repetitions
        self.cells = np.indices(tuple(repetitions)).reshape(3, -1).T

    @classmethod
    def beyond(cls, crystal: Crystal, reach: float) -> Supercell:
        """The smallest of whose opposite faces are more than twice ``reach`` apart, Å."""
        apart = 1 / np.linalg.norm(np.linalg.inv(crystal.lattice), axis=0)
        return cls(crystal, np.floor(2 * reach / apart).astype(int) + 1)

    @property
    def lattice(self) -> NDArray[np.float64]:
        """Its basis vectors in rows, shape (3, 3), Å."""
        return np.asarray(self.repetitions[:, None] * self.crystal.lattice)

    def place(self, steps: NDArray[np.integer]) -> NDArray[np.int64]:
        """Number of the cell that is so many basis vectors away, (n, 3), or that many and periods of the supercell."""
        return np.asarray(np.ravel_multi_index(tuple((steps % self.repetitions).T), tuple(self.repetitions)))

    @cached_property
    def images(self) -> NearestImages:
        """Ways from atoms of the first cell to all atoms; of these ``place`` counts as in (n_atoms, n_cells)."""
        first = self.crystal.positions / self.repetitions
        all_atoms = (first[:, None] + self.cells / self.repetitions).reshape(-1, 3)
        ways, counts = get_smallest_vectors(self.lattice, all_atoms, first, symprec=PHONOPY_SYMPREC)
        return NearestImages.of(ways * self.repetitions, counts)

    @cached_property
    def q(self) -> NDArray[np.float64]:
        """Wave vectors commensurate with it, in the first Brillouin zone, (n_cells, 3), fractions as of `Crystal`."""
        return nearest_to_gamma(self.crystal.lattice, self.cells / self.repetitions)

    @property
    def half(self) -> NDArray[np.bool_]:
        """Of which wave vectors ``q`` matrices are needed, (n_cells,): about half, the others are negatives of some."""
        return np.asarray(self.cells[:, 2] <= self.repetitions[2] // 2)

    def sum(self, tensors: Array, masses: Array) -> LatticeSum:
        """Dynamical matrices of force constants at any wave vectors; masses (n_atoms,), u."""
        second, cell = np.divmod(self.images.place, len(self.cells))
        terms = tensors[self.images.first, second, cell]
        return LatticeSum(self.crystal.positions, masses, self.images, second, terms)

    def matrices(self, tensors: Array, masses: Array) -> NDArray[np.complex128]:
        """Dynamical matrices at the wave vectors ``q``, shape (n_cells, 3 n_atoms, 3 n_atoms), eV/Å²/u."""
        n = len(masses)
        grid = tensors.reshape(n, n, *self.repetitions, 9)
        sums = np.fft.ifftn(grid, axes=(2, 3, 4), norm="forward").reshape(n, n, -1, 3, 3)
        found = sums.transpose(2, 0, 3, 1, 4).reshape(-1, 3 * n, 3 * n)
        return np.asarray(found * self._phases / _roots(masses))

    def tensors(self, matrices: NDArray[np.complexfloating], masses: Array) -> NDArray[np.float64]:
        """The force constants whose dynamical matrices at the wave vectors ``q[half]`` are these."""
        n = len(masses)
        sums = (matrices.conj() * self._phases[self.half] * _roots(masses)).reshape(-1, n, 3, n, 3)
        grid = sums.transpose(1, 3, 0, 2, 4).reshape(n, n, *self.repetitions[:2], -1, 9)
        return np.fft.irfftn(grid, s=self.repetitions.tolist(), axes=(2, 3, 4)).reshape(n, n, -1, 3, 3)

    @cached_property
    def _phases(self) -> NDArray[np.complex128]:
        """exp(iq·(r_j − r_i)) at ``q``, as factors of dynamical matrices."""
        own = np.exp(2j * np.pi * self.q @ self.crystal.positions.T).repeat(3, axis=1)
        return np.asarray(own.conj()[:, :, None] * own[:, None])

    def dipoles(self, charges: Mapping[str, Any]) -> Dipoles:
        """Of charges as phonopy has them."""
        return Dipoles.of(self.lattice, phonopy_atoms(self.crystal), self.crystal.masses, charges)

    def tensors_of_dipoles(self, dipoles: Dipoles, splitting: Mapping[str, float] | None = None) -> NDArray[np.float64]:
        """Force constants of the interaction of dipoles, with a splitting as of `dipole_matrices`."""
        q = self.q[self.half]
        matrices = dipole_matrices(dipoles, q, np.zeros_like(q), splitting)
        return self.tensors(matrices, dipoles.masses)

    def phonopy(self, tensors: Array) -> Phonopy:
        """phonopy's object of these force constants."""
        found = new_phonopy(phonopy_atoms(self.crystal), np.diag(self.repetitions), np.eye(3), symmetry=False)
        atom = np.searchsorted(found.primitive.p2s_map, found.primitive.s2p_map)
        steps = found.supercell.scaled_positions * self.repetitions - self.crystal.positions[atom]
        compact = tensors[:, atom, self.place(np.rint(steps).astype(int))]
        found.force_constants = np.array(compact, dtype=np.float64)
        return found


def _roots(masses: Array) -> NDArray[np.float64]:
    """√(M_i M_j), as factors of dynamical matrices, √u²."""
    roots = np.sqrt(masses).repeat(3)
    return np.outer(roots, roots)


class SupercellForceConstants(ForceConstants):
    """Force constants in a `Supercell`; phonopy's object of them is made when something asks for it.

    Parameters
    ----------
    supercell
        Of the crystal.
    tensors
        Those of a `Supercell`; they keep the acoustic sum rule.
    charges
        Born charges and dielectric tensor as phonopy has them, or None.

    Raises
    ------
    ForceConstantsError
        Values that are not finite.
    """

    def __init__(self, supercell: Supercell, tensors: Array, charges: Mapping[str, Any] | None) -> None:
        check_finite(tensors)
        self.crystal = supercell.crystal
        self.supercell, self.tensors, self.charges = supercell, tensors, charges

    @cached_property
    def phonopy(self) -> Phonopy:
        """The phonopy object that holds supercell, force constants (compact, eV/Å²) and, where known, Born charges."""
        return from_phonopy(self.supercell.phonopy(self.tensors), crystal=self.crystal, charges=self.charges).phonopy

    @property
    def has_born(self) -> bool:
        """Whether Born charges and a dielectric tensor are there, so that LO–TO splitting is."""
        return self.charges is not None

    @cached_property
    def dipoles(self) -> Dipoles | None:
        """What the sum over dipoles is made of, where there are charges."""
        return None if self.charges is None else self.supercell.dipoles(self.charges)

    @cached_property
    def short_sum(self) -> LatticeSum:
        """Dynamical matrices without the sum over dipoles at any wave vectors."""
        tensors = self.tensors
        if self.dipoles is not None:
            tensors = tensors - self.supercell.tensors_of_dipoles(self.dipoles)
        return self.supercell.sum(tensors, self.crystal.masses)

    def matrices(self, q: Array, directions: Array) -> NDArray[np.complex128]:
        """As of `ForceConstants.matrices`."""
        short = self.short_sum(q)
        return short if self.dipoles is None else short + dipole_matrices(self.dipoles, q, directions)

    def commensurate(self) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
        """As of `ForceConstants.commensurate`."""
        return self.supercell.q, self.supercell.matrices(self.tensors, self.crystal.masses)

    def with_commensurate(self, matrices: NDArray[np.complexfloating]) -> SupercellForceConstants:
        """As of `ForceConstants.with_commensurate`."""
        tensors = self.supercell.tensors(matrices[self.supercell.half], self.crystal.masses)
        return SupercellForceConstants(self.supercell, tensors, self.charges)
