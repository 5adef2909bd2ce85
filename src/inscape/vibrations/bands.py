"""Band structure along labelled points with the intensity S(Q,E) of one phonon on it, and the density of states."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inscape.errors import GridError
from inscape.lattice import ForceConstants, mesh_spacing, modes_on_mesh
from inscape.scattering import (
    PathSpectra,
    broaden,
    check_temperature,
    density_of_states,
    displacements,
    path_spectra,
    scattering_lengths,
    special_path,
    to_scattering,
)
from inscape.scattering.path import GAMMA
from inscape.scattering.resolution import FWHM
from inscape.spectra import centres, uniform_edges
from inscape.structures import Crystal, laue_rotations
from inscape.vibrations.modes import GAMMA_NAMES

Array = NDArray[np.floating]

BINS = 400
"""Bins of energy up to the highest mode."""

POINTS = 600
"""Points along the path, about."""

RELATIVE_WIDTH = 0.015
"""Full width at half maximum of the lines over the highest energy, unless one is given."""

ZONES = (4.5, 7.5)
"""Length of the reciprocal-lattice vector that is added unless one is given, 1/Å: there one phonon scatters well."""


@dataclass(frozen=True, eq=False)
class BandStructure:
    """Bands, intensity and density of states on one axis of energy.

    Parameters
    ----------
    crystal
        The primitive cell.
    along
        Bands and reduced intensities along the path; its wave vectors lie in the zone of ``zone``.
    zone
        Reciprocal-lattice vector that is added to the points of the path, r.l.u. of the conventional cell, shape (3,).
    temperature
        K.
    fwhm
        Width that lines of intensity and density of states are given, meV.
    energy_edges
        Shape (n_energy + 1,), meV, from 0.
    intensity
        S(Q,E) of one phonon, coherent, energy loss, shape (n_points, n_energy), barn sr⁻¹ meV⁻¹ per atom.
    partial_dos
        Density of states of each atom, shape (n_atoms, n_energy), 1/meV.
    """

    crystal: Crystal
    along: PathSpectra
    zone: Array
    temperature: float
    fwhm: float
    energy_edges: Array
    intensity: Array
    partial_dos: Array


def band_structure(
    force_constants: ForceConstants,
    path: Sequence[Sequence[str]] | None = None,
    *,
    zone: ArrayLike | None = None,
    temperature: float = 300.0,
    fwhm: float | None = None,
) -> BandStructure:
    """Bands along a path through special points with what neutrons see of them, and the density of states.

    Parameters
    ----------
    path
        Labels, part by part, as for `inscape.scattering.special_path`; the path recommended for the lattice unless
        given.
    zone
        Reciprocal-lattice vector, r.l.u. of the conventional cell, added to all points: bands repeat from zone to
        zone, intensities do not. That of `default_zone` unless given.
    temperature
        K.
    fwhm
        Full width at half maximum of a Gaussian, meV; 1.5 % of the highest energy unless given.

    Returns
    -------
    BandStructure
        With Born charges Γ is the limit along each leg.

    Raises
    ------
    GridError
        Labels that the lattice does not have, a zone that is no reciprocal-lattice vector, a width or temperature that
        makes no sense.
    """
    check_temperature(temperature)
    if fwhm is not None and not (np.isfinite(fwhm) and fwhm > 0):
        raise GridError(f"width is {fwhm} meV; it must be positive, such as 1")
    crystal = force_constants.crystal
    offset = default_zone(crystal) if zone is None else np.asarray(zone, dtype=float)
    rough = special_path(crystal, path, zone=offset, spacing=1.0)
    fine = special_path(crystal, path, zone=offset, spacing=float(rough.distance[-1]) / POINTS)
    modes = modes_on_mesh(force_constants, mesh_spacing(crystal))
    lengths = scattering_lengths(crystal)
    along = path_spectra(force_constants, fine, lengths, displacements(modes, temperature))
    highest = max(float(along.energies.max()), float(modes.energies.max()), 1.0)
    edges = uniform_edges(1.05 * highest, highest / BINS, name="energy")
    width = RELATIVE_WIDTH * highest if fwhm is None else float(fwhm)
    scattering = to_scattering(along.spectra(edges), centres(edges), temperature)
    partial = density_of_states(modes, edges)[0]
    sigma = width / FWHM
    return BandStructure(
        crystal,
        along,
        offset,
        float(temperature),
        width,
        edges,
        broaden(scattering, edges, sigma),
        broaden(partial, edges, sigma),
    )


def default_zone(crystal: Crystal) -> Array:
    """A strong reflection (h k l) in a general direction, r.l.u. of the conventional cell, shape (3,).

    Acoustic phonons scatter much near a strong one, and modes are not seen where they move perpendicular to Q, which
    along directions of symmetry most do. Of the reflections with |G| in `ZONES`, it is that of the largest
    m·|F|²·|hkl|/|G|³, with F = Σ b_d exp(iG·r_d) and m the number of equivalent reflections.
    """
    steps = np.ceil(ZONES[1] * np.linalg.norm(crystal.lattice, axis=1) / (2 * np.pi)).astype(int)
    indices = np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in steps], indexing="ij"), axis=-1).reshape(-1, 3)
    moduli = np.linalg.norm(indices @ crystal.reciprocal, axis=1)
    inside = (moduli >= ZONES[0]) & (moduli <= ZONES[1])
    indices, moduli = indices[inside], moduli[inside]
    hkl = np.rint(indices @ crystal.reciprocal @ np.linalg.inv(crystal.reciprocal_conventional))
    factors = np.exp(2j * np.pi * indices @ crystal.positions.T) @ scattering_lengths(crystal).coherent
    rotations = laue_rotations(crystal)
    kept = np.all(np.einsum("ia,nab->nib", indices, rotations) == indices, axis=-1).sum(axis=0)
    score = len(rotations) / kept * np.abs(factors) ** 2 * np.abs(hkl.prod(axis=1)) / moduli**3
    best = np.lexsort((*(-hkl.T[::-1]), -(score / score.max()).round(6)))[0]
    return np.asarray(hkl[best])


def parse_path(text: str) -> list[list[str]]:
    """Parts of a path from ``G X U | K G L``; commas and dashes may stand between labels, G and GAMMA are Γ.

    Raises
    ------
    GridError
        A part of fewer than two labels.
    """
    parts = [re.split(r"[\s,\-–→]+", part.strip()) for part in text.split("|")]
    if any(len(part) < 2 for part in parts):
        raise GridError(f"path is {text!r}; expected labels such as 'G X U | K G L', at least two in each part")
    return [[GAMMA if name.upper() in GAMMA_NAMES else name for name in part] for part in parts]
