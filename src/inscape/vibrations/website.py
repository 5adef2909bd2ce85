"""Phonons in the form that the phonon website reads, which shows all modes of a band structure moving.

The site is https://henriquemiranda.github.io/phononwebsite; the file is its own JSON, as its reader
(``src/phononjson.js``, ``getFromInternalJson``) takes it: energies in cm⁻¹, and displacements of the atoms in the cell
at the origin, to which the site puts exp(2πi q·n) in the cell n.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inscape.errors import DataError
from inscape.lattice import ForceConstants, modes_at
from inscape.scattering import special_path
from inscape.units import INVERSE_CM

SPACING = 0.05
"""Between points of the path, 1/Å: files hold all displacements at each."""

DIGITS = 5
"""Decimals of displacements; each mode has norm 1."""

MOST_SHOWN = 100
"""Atoms that the site shows at first, about."""


def phonon_website(force_constants: ForceConstants, path: Sequence[Sequence[str]] | None = None) -> dict[str, Any]:
    """Modes along a path as the phonon website reads them.

    Parameters
    ----------
    path
        Labels, part by part, as for `inscape.scattering.special_path`; the recommended path unless given.

    Returns
    -------
    dict
        ``eigenvalues``, cm⁻¹, shape (n_q, n_modes), and ``vectors``, shape (n_q, n_modes, n_atoms, 3, 2), real and
        imaginary parts of e_d exp(iq·r_d)/√M_d, of norm 1, beside the crystal and the path. ``line_breaks`` are the
        legs of the path, first point and the one after the last.
    """
    crystal = force_constants.crystal
    walked = special_path(crystal, path, spacing=SPACING)
    q = walked.vectors @ np.linalg.inv(crystal.reciprocal)
    modes = modes_at(force_constants, q, directions=walked.directions)
    phases = np.exp(2j * np.pi * q @ crystal.positions.T) / np.sqrt(crystal.masses)
    moves = modes.polarisations * phases[:, None, :, None]
    moves /= np.linalg.norm(moves, axis=(2, 3), keepdims=True)
    repeat = max(1, min(4, round((MOST_SHOWN / crystal.n_atoms) ** (1 / 3))))
    return {
        "name": crystal.formula,
        "formula": crystal.formula,
        "natoms": crystal.n_atoms,
        "lattice": crystal.lattice.tolist(),
        "atom_types": [symbol if symbol not in {"D", "T"} else "H" for symbol in crystal.symbols],
        "atom_numbers": crystal.numbers.tolist(),
        "atom_pos_red": crystal.positions.tolist(),
        "atom_pos_car": (crystal.positions @ crystal.lattice).tolist(),
        "repetitions": [repeat] * 3,
        "qpoints": q.round(9).tolist(),
        "distances": walked.distance.tolist(),
        "highsym_qpts": [[first, label] for first, label in walked.ticks],
        "line_breaks": [[leg.start, leg.stop] for leg in walked.legs],
        "eigenvalues": (modes.energies / INVERSE_CM).round(4).tolist(),
        "vectors": np.stack([moves.real, moves.imag], axis=-1).round(DIGITS).tolist(),
    }


def write_phonon_website(data: dict[str, Any], path: str | Path) -> None:
    """Write what `phonon_website` gives; `DataError` if that cannot be done."""
    try:
        Path(path).write_text(json.dumps(data, separators=(",", ":")), encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); name another place") from error
