"""How atoms move in a mode: displacements in a supercell that holds whole waves, and a period of them as frames."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import make_supercell
from ase.io import write
from numpy.typing import NDArray

from inscape.errors import DataError, GridError
from inscape.vibrations.modes import Vibrations, check_mode

MOST_CELLS = 12
"""Conventional cells along an edge of a supercell at most: other wave vectors do not count as commensurate."""

ATOM = "primitive_atom"
"""Name of the array of ASE's atoms that says which atom of the primitive cell each one repeats."""


def displaced_cell(found: Vibrations, number: int) -> tuple[Atoms, NDArray[np.complex128]]:
    """The smallest supercell of the conventional cell that holds whole waves, and the displacements in it.

    Parameters
    ----------
    number
        Of the mode, from 1.

    Returns
    -------
    atoms
        At rest.
    displacements
        Complex amplitudes u, shape (n, 3), of any unit, the largest of norm 1 and real at its largest: at the phase φ
        of the vibration atoms are displaced by Re u exp(−iφ). u = e_d exp(iq·r)/√M_d for an atom at r.

    Raises
    ------
    DataError
        There is no such mode.
    GridError
        A wave vector that no supercell of up to `MOST_CELLS` cells along each edge is commensurate with.

    References
    ----------
    A. Togo, manual of fropho (2009), "Relation between eigenvector and atomic displacements", eq. 3.22: the convention
    of phonopy's eigenvectors.
    """
    crystal = found.crystal
    polarisation = found.polarisations[check_mode(found, number)]
    primitive = crystal.to_ase()
    primitive.arrays[ATOM] = np.arange(crystal.n_atoms)
    conventional: Atoms = make_supercell(primitive, crystal.conventional_transformation)  # type: ignore[no-untyped-call]
    atoms: Atoms = conventional.repeat(_repetitions(found.q))  # type: ignore[no-untyped-call]
    which = atoms.arrays[ATOM]
    phases = np.exp(1j * atoms.positions @ (found.q @ crystal.reciprocal_conventional))
    amplitudes = polarisation[which] * (phases / np.sqrt(crystal.masses[which]))[:, None]
    largest = amplitudes[np.abs(np.round(amplitudes, 9)).argmax() // 3]
    square = np.sum(largest**2)
    amplitudes = amplitudes * np.exp(-0.5j * np.angle(square))
    return atoms, amplitudes / np.linalg.norm(amplitudes.real, axis=1).max()


def trajectory(found: Vibrations, number: int, *, amplitude: float = 0.3, n_frames: int = 24) -> list[Atoms]:
    """One period of a mode, frame by frame; the last frame leads to the first.

    Parameters
    ----------
    number
        Of the mode, from 1.
    amplitude
        Largest displacement, Å: as large as it has to be to be seen, not that of any temperature.
    n_frames
        Frames of the period.

    Returns
    -------
    list of ase.Atoms
        The first frame is that of the largest displacement. ``info`` has mode, energy (meV, negative where
        imaginary), wave vector and phase.
    """
    if not (np.isfinite(amplitude) and amplitude > 0 and n_frames >= 2):
        raise GridError(f"got an amplitude of {amplitude} Å and {n_frames} frames; expected above 0, and at least 2")
    rest, displacements = displaced_cell(found, number)
    frames = []
    for phase in 2 * np.pi * np.arange(n_frames) / n_frames:
        atoms = Atoms(rest.numbers, positions=rest.positions, cell=rest.cell, pbc=True)
        atoms.positions += amplitude * (displacements * np.exp(-1j * phase)).real
        atoms.info = {
            "mode": number,
            "mode_energy_meV": float(found.energies[number - 1]),
            "wave_vector_rlu": np.asarray(found.q, dtype=float),
            "phase": float(phase),
        }
        frames.append(atoms)
    return frames


def write_trajectory(frames: list[Atoms], path: str | Path) -> None:
    """Write frames as extended XYZ, which OVITO, VMD and ASE show; `DataError` if that cannot be done."""
    try:
        write(path, frames, format="extxyz")
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); name another place") from error


def _repetitions(q: NDArray[np.floating]) -> tuple[int, int, int]:
    """How often the conventional cell is repeated along each edge so that q·n is whole."""
    fractions = [Fraction(float(x)).limit_denominator(MOST_CELLS) for x in q]
    if any(abs(float(f) - x) > 1e-6 for f, x in zip(fractions, q, strict=True)):
        raise GridError(
            f"wave vector ({', '.join(f'{x:g}' for x in q)}) fits in no supercell of up to {MOST_CELLS} cells along "
            "each edge; choose fractions such as 1/2 or 0.25"
        )
    a, b, c = (f.denominator for f in fractions)
    return a, b, c
