"""Whole powder maps of a library at the temperature of a measurement, with scattering by many phonons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inscape.library import REFERENCE_TEMPERATURE, Library
from inscape.scattering import (
    mean_square_displacements,
    orders_needed,
    phonon_orders_of_density_of_states,
    scattering_lengths,
    self_part,
)
from inscape.spectra import centres, native_energy_edges, native_q_edges
from inscape.units import bose

Array = NDArray[np.floating]

LEFT_OUT = 1e-3
"""Orders are left out that hold less than this share of the recoil."""


def whole_maps(library: Library, ids: Sequence[str], temperature: float, *, one_phonon: bool = False) -> Array:
    """Reduced maps R = S·E/(n + 1), shape (n, n_q, n_energy) on native grids, barn sr⁻¹ per atom.

    Coherent scattering by one phonon is brought from the library's temperature to another by one Debye–Waller factor
    for all atoms; incoherent scattering and that by many phonons are those of each atom, which moves isotropically.
    ``one_phonon`` leaves out the latter.
    """
    return np.stack([_whole_map(library, name, temperature, one_phonon) for name in ids])


def _whole_map(library: Library, name: str, temperature: float, one_phonon: bool) -> Array:
    edges, q = native_energy_edges(), centres(native_q_edges())
    arrays, crystal = library.arrays(name, "partial_dos", "displacements", "powder"), library.crystal(name)
    lengths, masses = scattering_lengths(crystal), crystal.masses
    partial = arrays["partial_dos"].astype(float)
    warm, cold = (mean_square_displacements(partial, edges, masses, t) for t in (temperature, REFERENCE_TEMPERATURE))
    motion = np.trace(arrays["displacements"][0].astype(float), axis1=-2, axis2=-1) + warm - cold
    weight = lengths.square("coherent-plus-incoherent") / masses
    square = q[:, None] ** 2
    warming = np.exp(-square * ((warm - cold) @ weight / weight.sum()) / 3)
    found = arrays["powder"].astype(float) * square * warming
    found += self_part(partial, masses, lengths.incoherent_square, q, motion)
    if one_phonon:
        return np.asarray(found)
    order = max(orders_needed(float(q[-1] ** 2 * motion.max() / 3), LEFT_OUT), 2)
    orders = phonon_orders_of_density_of_states(partial, edges, masses, edges, temperature, order=order)
    many = orders.on_grid(q, lengths.square("coherent-plus-incoherent"))[1:].sum(axis=0)
    energy = centres(edges)
    return np.asarray(found + many * energy / (bose(energy, temperature) + 1))
