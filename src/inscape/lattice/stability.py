"""Force constants of a stable crystal: what a model makes imaginary is made real, and said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from phonopy.harmonic.dynamical_matrix import DynamicalMatrix, get_dynamical_matrices_at_qpoints

from inscape.lattice.dipoles import commensurate_points, from_commensurate
from inscape.lattice.force_constants import ForceConstants, from_phonopy, new_phonopy
from inscape.spectra import IMAGINARY_CUTOFF
from inscape.units import MODE_ENERGY


@dataclass(frozen=True, eq=False)
class Stabilised:
    """Force constants without imaginary modes at the wave vectors of their supercell, and what there was of these.

    ``share`` of the modes there that were imaginary, and the ``lowest`` energy, meV; both 0 where none was.
    """

    force_constants: ForceConstants
    share: float
    lowest: float


def stabilised(force_constants: ForceConstants) -> Stabilised:
    """Make real what is imaginary at the wave vectors that are commensurate with the supercell.

    Where there is an imaginary mode, the dynamical matrix D becomes √(D²): modes stay, and so do real energies; ħω = iE
    becomes E. As a function of the matrix it keeps translation and the symmetry of the crystal. Between these wave
    vectors, where phonopy interpolates, imaginary modes may be left.
    """
    matrix = force_constants.phonopy.dynamical_matrix
    assert matrix is not None  # there are force constants
    q = commensurate_points(matrix)
    whole = DynamicalMatrix(matrix.supercell, matrix.primitive, matrix.force_constants)
    square, modes = np.linalg.eigh(np.asarray(get_dynamical_matrices_at_qpoints(whole, q)))
    energies = np.sign(square) * np.sqrt(np.abs(square)) * MODE_ENERGY
    imaginary = energies < -IMAGINARY_CUTOFF
    if not imaginary.any():
        return Stabilised(force_constants, 0.0, 0.0)
    real = np.einsum("qim,qm,qjm->qij", modes, np.abs(square), modes.conj())
    old = force_constants.phonopy
    new = new_phonopy(old.unitcell, old.supercell_matrix, old.primitive_matrix, symmetry=False)
    new.force_constants = from_commensurate(matrix, lambda _: real)
    found = from_phonopy(new, isotopes=force_constants.crystal.isotopes, charges=old.nac_params)
    return Stabilised(found, float(imaginary.mean()), float(energies.min()))
