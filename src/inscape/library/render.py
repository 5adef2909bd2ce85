"""One crystal: force constants in, the three kinds of reduced spectra on the native grids out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inscape.lattice import ForceConstants, modes_on_mesh
from inscape.scattering import (
    Shells,
    density_of_states,
    displacements,
    imaginary_modes,
    native_plane,
    plane_map,
    powder_map,
    powder_points,
    scattering_lengths,
)
from inscape.spectra import native_energy_edges, native_q_edges
from inscape.threads import side_by_side

REFERENCE_TEMPERATURE = 10.0
"""Temperature of the Debye–Waller factor of stored maps, K."""

TEMPERATURES = (10.0, 300.0)
"""Temperatures at which displacement tensors are stored, K."""

CLEAN_SHARE = 0.005
"""Above this share of imaginary modes a crystal is flagged as not dynamically clean."""

HIGHEST_ENERGY = 480.0
"""A crystal with modes above this energy, meV, has broken force constants."""


@dataclass(frozen=True)
class RenderSettings:
    """How finely spectra are sampled: mesh spacing (1/Å), wave vectors a |Q| shell, wave vectors kept one by one."""

    mesh_spacing: float = 0.12
    per_shell: int = 300
    n_points: int = 400
    seed: int = 0


def render(force_constants: ForceConstants, settings: RenderSettings) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Spectra of one crystal as arrays, and what describes it as attributes.

    Maps are divided by Q², so that half precision holds them.

    Returns
    -------
    arrays
        ``partial_dos`` (n_atoms, n_energy) 1/meV; ``displacements`` (n_temperatures, n_atoms, 3, 3) Å²;
        ``powder`` (n_q, n_energy), ``crystal`` (32, 32, n_energy) and ``points`` (n_points, n_energy), reduced coherent
        scattering over Q², barn sr⁻¹ Å² per atom; ``point_vectors`` (n_points, 3) 1/Å; ``h_edges``, ``k_edges`` r.l.u.
    attributes
        Formula, space group, flags.
    """
    crystal = force_constants.crystal
    energy_edges, q_edges = native_energy_edges(), native_q_edges()
    modes = modes_on_mesh(force_constants, settings.mesh_spacing)
    imaginary = imaginary_modes(modes)
    partial, imaginary_weight = density_of_states(modes, energy_edges)
    tensors = np.stack([displacements(modes, t) for t in TEMPERATURES])
    lengths = scattering_lengths(crystal)
    rng = np.random.default_rng([settings.seed, int(crystal.digest[:8], 16)])
    grid = native_plane(crystal)
    arguments = (energy_edges, lengths, tensors[0])

    def in_all_directions() -> tuple[NDArray[Any], ...]:
        shells = Shells(modes, q_edges)
        powder = powder_map(
            force_constants, modes, q_edges, *arguments, per_shell=settings.per_shell, rng=rng, shells=shells
        )
        return powder, *powder_points(modes, shells, *arguments, n_points=settings.n_points, rng=rng)

    def in_plane() -> tuple[NDArray[Any], ...]:
        return (plane_map(force_constants, grid, *arguments),)

    (powder, vectors, points), (plane,) = side_by_side([in_all_directions, in_plane])
    q = 0.5 * (q_edges[1:] + q_edges[:-1])
    arrays = {
        "partial_dos": partial.astype(np.float32),
        "imaginary_weight": imaginary_weight.astype(np.float32),
        "displacements": tensors.astype(np.float32),
        "powder": (powder / q[:, None] ** 2).astype(np.float16),
        "crystal": (plane / np.sum(grid.centres(crystal) ** 2, axis=-1)[..., None]).astype(np.float16),
        "points": (points / np.sum(vectors**2, axis=-1)[:, None]).astype(np.float16),
        "point_vectors": vectors.astype(np.float32),
        "h_edges": grid.h_edges,
        "k_edges": grid.k_edges,
    }
    highest = float(modes.energies.max())
    attributes = {
        "formula": crystal.formula,
        "space_group": crystal.space_group,
        "space_group_number": int(crystal.space_group_number),
        "n_atoms": crystal.n_atoms,
        "digest": crystal.digest,
        "has_born": force_constants.has_born,
        "imaginary_share": imaginary.share,
        "imaginary_lowest_meV": imaginary.lowest,
        "imaginary_q": list(imaginary.q),
        "highest_meV": highest,
        "clean": bool(imaginary.share < CLEAN_SHARE and highest < HIGHEST_ENERGY),
    }
    return arrays, attributes
