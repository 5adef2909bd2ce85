"""Force constants of a stable crystal: what a model makes imaginary is made real, and said; energies are moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inscape.lattice.force_constants import ForceConstants
from inscape.lattice.inversion import diagonalised
from inscape.spectra import IMAGINARY_CUTOFF
from inscape.units import MODE_ENERGY, signed_energies

Array = NDArray[np.floating]

SINGLE_PRECISION = 1e-6
"""An inversion of the crystal that dynamical matrices have up to this share, as networks compute, is made exact."""


@dataclass(frozen=True, eq=False)
class Stabilised:
    """Force constants without imaginary modes at the wave vectors of their supercell, and what there was of these.

    ``share`` of the modes there that were imaginary, and the ``lowest`` energy, meV; both 0 where none was.
    """

    force_constants: ForceConstants
    share: float
    lowest: float


def stabilised(force_constants: ForceConstants, towards: Callable[[Array], Array] | None = None) -> Stabilised:
    """Make real what is imaginary at the wave vectors that are commensurate with the supercell.

    Where there is an imaginary mode, the dynamical matrix D becomes √(D²): modes stay, and so do real energies; ħω = iE
    becomes E. As a function of the matrix it keeps translation and the symmetry of the crystal. D is that of the
    natural isotopes, so that force constants do not depend on which are there. Between these wave vectors, where
    phonopy interpolates, imaginary modes may be left.

    Parameters
    ----------
    towards
        From the energies that are then there, shape (n_q, n_modes), meV, none negative, to those that the same modes
        are to have. A smooth function of the energy makes that a function of the matrix, too.
    """
    _, matrices = force_constants.commensurate()
    crystal = force_constants.crystal
    roots = np.sqrt(crystal.masses / crystal.natural().masses).repeat(3)
    to_natural = np.outer(roots, roots)
    square, modes = diagonalised(matrices * to_natural, crystal, SINGLE_PRECISION)
    energies = signed_energies(square)
    imaginary = energies < -IMAGINARY_CUTOFF
    if towards is None and not imaginary.any():
        return Stabilised(force_constants, 0.0, 0.0)
    wanted = np.abs(energies) if towards is None else towards(np.abs(energies))
    real = np.einsum("qim,qm,qjm->qij", modes, (wanted / MODE_ENERGY) ** 2, modes.conj(), optimize=True)
    found = force_constants.with_commensurate(real / to_natural)
    return Stabilised(found, float(imaginary.mean()), float(energies.min()) if imaginary.any() else 0.0)
