"""Force constants of a crystal: symmetrise them, hold them. phonopy does the lattice dynamics."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from copy import copy
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from phonopy import Phonopy
from phonopy.harmonic.dynamical_matrix import DynamicalMatrix
from phonopy.structure.atoms import PhonopyAtoms
from phonopy.structure.cells import Primitive

from inscape.errors import ForceConstantsError
from inscape.lattice.dipoles import (
    commensurate_points,
    dynamical_matrices,
    ewald_splitting,
    from_commensurate,
    short_range,
)
from inscape.lattice.fourier import LatticeSum
from inscape.structures import SAME_PLACE, Crystal

Array = NDArray[np.floating]

COULOMB = 14.399652
"""e²/4πε₀ in eV Å: phonopy's unit factor of the dipole term for VASP, used where a BORN file has none."""

PHONOPY_SYMPREC = SAME_PLACE
"""Meshes and the operations that go with them are found at one tolerance."""

WORST_DRIFT = 0.05
"""Force constants whose sum over all atoms exceeds this share of the mean force constant of an atom with itself are
refused. The sum, a force where all atoms move together, must be 0; what is left of it is error, and enters squared
energies in about this proportion. Of some 300 crystals of the phonondb none leaves more than 7·10⁻⁶."""


class ForceConstants:
    """Harmonic force constants of one crystal, symmetrised, with the acoustic sum rule, ready for phonon modes.

    Parameters
    ----------
    crystal
        The primitive cell; its atoms are in the order of the modes' polarisations.
    phonopy
        The phonopy object that holds supercell, force constants (compact, eV/Å²) and, where known, Born charges.
    """

    def __init__(self, crystal: Crystal, phonopy: Phonopy) -> None:
        self.crystal, self._phonopy = crystal, phonopy

    @property
    def phonopy(self) -> Phonopy:
        """The phonopy object that holds supercell, force constants (compact, eV/Å²) and, where known, Born charges."""
        return self._phonopy

    @property
    def has_born(self) -> bool:
        """Whether Born charges and a dielectric tensor are there, so that LO–TO splitting is."""
        return self.phonopy.nac_params is not None

    @property
    def array(self) -> NDArray[np.float64]:
        """Compact force constants, shape (n_atoms, n_supercell, 3, 3), eV/Å²."""
        return np.asarray(self.phonopy.force_constants)

    @cached_property
    def short_range(self) -> DynamicalMatrix:
        """phonopy's dynamical matrix without the sum over dipoles, where there is one."""
        return short_range(self._matrix)

    @cached_property
    def short_sum(self) -> LatticeSum:
        """Dynamical matrices of ``short_range`` at any wave vectors."""
        return LatticeSum.of(self.short_range)

    def matrices(self, q: Array, directions: Array) -> NDArray[np.complex128]:
        """Dynamical matrices at wave vectors within the first Brillouin zone, (n_q, 3 n_atoms, 3 n_atoms), eV/Å²/u.

        Parameters
        ----------
        q, directions
            As of `inscape.lattice.dipoles.dynamical_matrices`.
        """
        return dynamical_matrices(self._matrix, self.short_sum, q, directions)

    def commensurate(self) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
        """Wave vectors commensurate with the supercell, (n_q, 3), fractions, and the dynamical matrices there.

        The sum over dipoles is within the force constants there, without a macroscopic field at Γ.
        """
        q = commensurate_points(self._matrix)
        return q, LatticeSum.of(self._matrix)(q)

    def with_commensurate(self, matrices: NDArray[np.complexfloating]) -> ForceConstants:
        """The same crystal with other dynamical matrices at the wave vectors of `commensurate`."""
        new = copy(self.phonopy)  # cells stay, and are shared
        charges, new.nac_params = new.nac_params, None
        new.force_constants = from_commensurate(self._matrix, lambda _: np.asarray(matrices))
        return from_phonopy(new, crystal=self.crystal, charges=charges)

    @property
    def _matrix(self) -> DynamicalMatrix:
        """phonopy's dynamical matrix."""
        matrix = self.phonopy.dynamical_matrix
        assert matrix is not None  # there are force constants
        return matrix

    def with_isotopes(self, choice: Mapping[str | int, str | int]) -> ForceConstants:
        """The same force constants between other isotopes: masses change, and with them all modes.

        Parameters
        ----------
        choice
            As for `inscape.structures.Crystal.with_isotopes`: ``{"H": "D"}``, ``{"Li": 7}``, ``{0: 11}``; atoms are
            counted as in ``crystal``.

        Raises
        ------
        StructureError
            An atom or element that is not there, an isotope that does not exist.
        """
        crystal = self.crystal.with_isotopes(choice)
        old = self.phonopy
        new = new_phonopy(old.unitcell, old.supercell_matrix, old.primitive_matrix)
        new.masses = np.asarray(crystal.masses, dtype=np.float64)
        new.force_constants = self.array.copy()
        return from_phonopy(new, isotopes=crystal.isotopes, charges=old.nac_params)

    def with_charges(self, charges: Mapping[str, Any]) -> ForceConstants:
        """The same force constants with Born charges and a dielectric tensor, in place of any that are there.

        Parameters
        ----------
        charges
            As `inscape.lattice.read_born_charges` gives them for ``crystal``.
        """
        old = self.phonopy
        new = new_phonopy(old.unitcell, old.supercell_matrix, old.primitive_matrix)
        new.force_constants = self.array.copy()
        return from_phonopy(new, isotopes=self.crystal.isotopes, charges=charges)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that `from_arrays` needs to build the same object again."""
        ph = self.phonopy
        found: dict[str, NDArray[Any]] = {
            "cell_lattice": ph.unitcell.cell,
            "cell_positions": ph.unitcell.scaled_positions,
            "cell_numbers": ph.unitcell.numbers.astype(np.int32),
            "cell_masses": ph.unitcell.masses,
            "supercell_matrix": np.asarray(ph.supercell_matrix, dtype=np.int32),
            "primitive_matrix": np.asarray(ph.primitive_matrix, dtype=float),
            "force_constants": self.array.astype(np.float32),
        }
        if any(self.crystal.isotopes):
            found["isotopes"] = np.asarray(self.crystal.isotopes, dtype=np.int32)
        if ph.nac_params is not None:
            found["born"] = np.asarray(ph.nac_params["born"])
            found["dielectric"] = np.asarray(ph.nac_params["dielectric"])
            found["dipole_factor"] = np.array([ph.nac_params["factor"]])
        return found

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> ForceConstants:
        """The inverse of `arrays`; single-precision force constants get their acoustic sum rule back."""
        cell = PhonopyAtoms(
            cell=arrays["cell_lattice"],
            scaled_positions=arrays["cell_positions"],
            numbers=arrays["cell_numbers"],
            masses=arrays["cell_masses"],
        )
        ph = new_phonopy(cell, arrays["supercell_matrix"], arrays["primitive_matrix"])
        ph.force_constants = arrays["force_constants"].astype(float)
        charges = None
        if "born" in arrays:
            factor = float(arrays["dipole_factor"][0])
            charges = {"born": arrays["born"], "dielectric": arrays["dielectric"], "factor": factor}
        isotopes = arrays["isotopes"].tolist() if "isotopes" in arrays else None
        return from_phonopy(ph, isotopes=isotopes, charges=charges)


def from_phonopy(
    phonopy: Phonopy,
    *,
    crystal: Crystal | None = None,
    isotopes: Iterable[int] | None = None,
    charges: Mapping[str, Any] | None = None,
) -> ForceConstants:
    """Wrap a phonopy object that has force constants: make them compact, symmetric and sum-rule obeying.

    Parameters
    ----------
    phonopy
        Its primitive cell is the crystal; masses are those it holds.
    crystal
        That crystal, where it is known already.
    isotopes
        Mass numbers of the atoms of the primitive cell, 0 for natural abundance; from the masses of hydrogen if left
        out.
    charges
        Born charges and dielectric tensor as in phonopy's ``nac_params``; those that it holds if left out.

    Raises
    ------
    ForceConstantsError
        No force constants, values that are not finite, or a sum over all atoms that is far from zero (`WORST_DRIFT`).
    """
    if phonopy.force_constants is None:
        raise ForceConstantsError(
            "these phonopy data hold displacements but no forces or force constants; "
            "expected FORCE_SETS, FORCE_CONSTANTS, or a yaml file with either: run phonopy's force step first"
        )
    check_finite(np.asarray(phonopy.force_constants))
    known: Any = dict(charges or phonopy.nac_params or {})
    phonopy.nac_params = None  # phonopy sums over dipoles anew at each change of the force constants
    if phonopy.force_constants.shape[0] == phonopy.force_constants.shape[1] != len(phonopy.primitive):
        phonopy.force_constants = phonopy.force_constants[phonopy.primitive.p2s_map].copy()
    _check_sum_rule(np.asarray(phonopy.force_constants), phonopy.primitive.p2s_map)
    phonopy.symmetrize_force_constants(show_drift=False)
    if known:
        cells = phonopy.supercell.cell, phonopy.primitive.cell
        phonopy.nac_params = ewald_splitting(*cells, np.asarray(known["dielectric"])) | known
    return ForceConstants(crystal or _crystal_of(phonopy.primitive, isotopes), phonopy)


def check_finite(tensors: Array) -> None:
    """`ForceConstantsError` unless all force constants are finite."""
    if not np.all(np.isfinite(tensors)):
        raise ForceConstantsError("the force constants hold NaN or infinite values; recompute them")


def _crystal_of(primitive: Primitive, isotopes: Iterable[int] | None) -> Crystal:
    """The crystal of phonopy's primitive cell."""
    for symprec in (1e-4, PHONOPY_SYMPREC, 1e-6):
        crystal = Crystal.from_cell(
            primitive.cell,
            primitive.scaled_positions,
            primitive.numbers,
            masses=primitive.masses,
            isotopes=isotopes,
            symprec=symprec,
        )
        if crystal.n_atoms == len(primitive):
            return crystal
    raise ForceConstantsError(
        f"phonopy's primitive cell has {len(primitive)} atoms, symmetry finds {crystal.n_atoms}: "
        "set PRIMITIVE_AXES to the primitive cell and try again"
    )


def _check_sum_rule(compact: NDArray[np.float64], own: NDArray[np.integer]) -> None:
    """Refuse compact force constants, shape (n_atoms, n_supercell, 3, 3), that leave more than `WORST_DRIFT`."""
    sums = np.abs(compact.sum(axis=1)).max(axis=(1, 2))
    stiffness = np.linalg.norm(compact[np.arange(len(own)), own], axis=(1, 2)).mean() / np.sqrt(3)
    if sums.max() > WORST_DRIFT * stiffness:
        raise ForceConstantsError(
            f"the force constants of atom {sums.argmax() + 1} with all atoms sum to {sums.max():.3g} eV/Å², expected 0 "
            f"within {WORST_DRIFT:.0%} of the mean force constant of an atom with itself, {stiffness:.3g} eV/Å²: "
            "forces or supercell are wrong, or belong to different atoms; compute them again"
        )


def phonopy_atoms(crystal: Crystal) -> PhonopyAtoms:
    """A crystal's primitive cell as phonopy has it."""
    arrays = (np.array(a, dtype=np.float64) for a in (crystal.lattice, crystal.positions, crystal.masses))
    lattice, positions, masses = arrays
    return PhonopyAtoms(cell=lattice, scaled_positions=positions, numbers=crystal.numbers, masses=masses)


def new_phonopy(cell: PhonopyAtoms, supercell: Any, primitive: Any, *, symmetry: bool = True) -> Phonopy:
    """A phonopy object of a cell and the matrices of its supercell and primitive cell, at the tolerance used here.

    The ``symmetry`` of the supercell is needed to make displacements only.
    """
    to_find = primitive is None or isinstance(primitive, str)  # filters belong to all threads: touched if need be
    with warnings.catch_warnings() if to_find else nullcontext():
        if to_find:
            warnings.filterwarnings("ignore", message="primitive_matrix defaulted to 'auto'")  # what is meant
        return Phonopy(
            cell,
            supercell_matrix=supercell,
            primitive_matrix=primitive,
            symprec=PHONOPY_SYMPREC,
            is_symmetry=symmetry,
            log_level=0,
        )
