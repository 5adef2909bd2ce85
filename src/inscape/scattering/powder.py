"""Powder-averaged coherent scattering: phonons once on an irreducible mesh, then all Q = q + G of each |Q| shell."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inscape import lattice
from inscape.scattering.coherent import reduced_intensities
from inscape.scattering.lengths import ScatteringLengths

if TYPE_CHECKING:
    from inscape.lattice import ForceConstants, Modes

Array = NDArray[np.floating]

FEWEST = 12
"""A shell with fewer wave vectors than this on the mesh gets this many explicit ones."""


@dataclass(frozen=True, eq=False)
class PowderSample:
    """Wave vectors of the shells and which modes they use: ``q_index`` (n,), ``vectors`` (n, 3) and ``shell`` (n,)."""

    q_index: NDArray[np.int64]
    vectors: Array
    shell: NDArray[np.int64]


def sample_shells(modes: Modes, q_edges: Array, per_shell: int, rng: np.random.Generator) -> PowderSample:
    """Choose about ``per_shell`` wave vectors q + G in each shell of |Q|, each mesh point by its weight.

    S has the symmetry of the Laue group, so the average over a sphere needs only the irreducible q, weighted by their
    stars, with all G.
    """
    crystal = modes.crystal
    reciprocal = crystal.reciprocal
    reach = q_edges[-1] + np.linalg.norm(modes.q @ reciprocal, axis=1).max()
    extent = np.ceil(reach / (2 * np.pi) * np.linalg.norm(crystal.lattice, axis=1)).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in extent), indexing="ij"), axis=-1).reshape(-1, 3)
    lattice_vectors = grid @ reciprocal
    lattice_vectors = lattice_vectors[np.linalg.norm(lattice_vectors, axis=1) < reach]
    q = modes.q @ reciprocal
    square = np.sum(q**2, axis=1)[:, None] + np.sum(lattice_vectors**2, axis=1) + 2 * q @ lattice_vectors.T
    shell = np.searchsorted(q_edges**2, square.ravel(), side="right").astype(np.int16) - np.int16(1)
    inside = np.flatnonzero((shell >= 0) & (shell < len(q_edges) - 1))
    order = inside[np.argsort(shell[inside], kind="stable")]  # a radix sort, for the shells are 16-bit numbers
    shell = shell[order]
    q_index, g_index = np.divmod(order, len(lattice_vectors))
    cumulative = np.concatenate([[0.0], np.cumsum(modes.weights[q_index])])
    bounds = np.searchsorted(shell, np.arange(len(q_edges)))
    picks = []
    for first, last in pairwise(bounds):
        if last - first < FEWEST:
            continue
        steps = (np.arange(per_shell) + rng.random()) / per_shell  # systematic sampling by weight
        target = cumulative[first] + steps * (cumulative[last] - cumulative[first])
        picks.append(np.clip(np.searchsorted(cumulative, target, side="right") - 1, first, last - 1))
    pick = np.concatenate(picks) if picks else np.empty(0, dtype=int)
    return PowderSample(q_index[pick], q[q_index[pick]] + lattice_vectors[g_index[pick]], shell[pick])


def powder_map(
    force_constants: ForceConstants,
    modes: Modes,
    q_edges: Array,
    energy_edges: Array,
    lengths: ScatteringLengths,
    displacement: Array,
    *,
    per_shell: int = 300,
    rng: np.random.Generator | None = None,
) -> Array:
    """Reduced powder map R(|Q|,E) of one-phonon coherent scattering.

    Parameters
    ----------
    modes
        Modes on a mesh of the same force constants.
    q_edges, energy_edges
        Bin edges, shapes (n_q + 1,) and (n_energy + 1,), 1/Å and meV.
    displacement
        Tensors at the temperature of the Debye–Waller factor, shape (n_atoms, 3, 3), Å², or those of several
        temperatures, shape (n_temperatures, n_atoms, 3, 3), which all share the modes.
    per_shell
        Wave vectors in each shell; the statistical error falls with its square root.
    rng
        Source of the choice of wave vectors; seed 0 unless given.

    Returns
    -------
    Array
        Shape (n_q, n_energy), with n_temperatures in front where there are several, barn sr⁻¹ per atom.
    """
    rng = rng or np.random.default_rng(0)
    samples = [(modes, sample_shells(modes, q_edges, per_shell, rng))]
    n_q, n_energy = len(q_edges) - 1, len(energy_edges) - 1
    counts = np.bincount(samples[0][1].shell, minlength=n_q)
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        extra, extra_modes = _explicit_shells(force_constants, q_edges, empty, rng)
        samples.append((extra_modes, extra))
        counts += np.bincount(extra.shell, minlength=n_q)
    tensors = displacement.reshape(-1, *displacement.shape[-3:])
    total = np.zeros((len(tensors), n_q * n_energy))
    for row, tensor in zip(total, tensors, strict=True):
        for owner, sample in samples:
            _accumulate(row, owner, sample, energy_edges, lengths, tensor)
    shape = (*displacement.shape[:-3], n_q, n_energy)
    return np.asarray(total.reshape(shape) / counts[:, None] / np.diff(energy_edges))


def powder_points(
    modes: Modes,
    q_edges: Array,
    energy_edges: Array,
    lengths: ScatteringLengths,
    displacement: Array,
    *,
    n_points: int,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Reduced spectra at single wave vectors in all directions, equally many in each shell of |Q|.

    Returns
    -------
    vectors
        Q, shape (n_points, 3), Cartesian, 1/Å.
    spectra
        Shape (n_points, n_energy), barn sr⁻¹ per atom.
    """
    n_energy = len(energy_edges) - 1
    few = sample_shells(modes, q_edges, -(-2 * n_points // (len(q_edges) - 1)), rng)
    pick = rng.permutation(len(few.shell))[:n_points]
    sample = PowderSample(few.q_index[pick], few.vectors[pick], np.arange(len(pick)))
    total = np.zeros(len(pick) * n_energy)
    _accumulate(total, modes, sample, energy_edges, lengths, displacement)
    return sample.vectors, total.reshape(len(pick), n_energy) / np.diff(energy_edges)


def _accumulate(
    total: Array,
    modes: Modes,
    sample: PowderSample,
    energy_edges: Array,
    lengths: ScatteringLengths,
    displacement: Array,
) -> None:
    """Add the reduced intensities of the sample to the flat histogram ``total`` (n_q * n_energy,)."""
    n_energy = len(energy_edges) - 1
    bins = np.searchsorted(energy_edges, modes.energies, side="right") - 1
    order = np.argsort(sample.q_index, kind="stable")
    bounds = np.searchsorted(sample.q_index[order], np.arange(len(modes.q) + 1))
    for index, (first, last) in enumerate(pairwise(bounds)):
        if first == last:
            continue
        rows = order[first:last]
        intensity = reduced_intensities(modes, index, sample.vectors[rows], lengths, displacement)
        use = (bins[index] >= 0) & (bins[index] < n_energy)
        where = sample.shell[rows, None] * n_energy + bins[index][use]
        total += np.bincount(where.ravel(), intensity[:, use].ravel(), minlength=len(total))


def _explicit_shells(
    force_constants: ForceConstants, q_edges: Array, shells: NDArray[np.int64], rng: np.random.Generator
) -> tuple[PowderSample, Modes]:
    """`FEWEST` wave vectors at random in each of the shells, with modes of their own."""
    shell = np.repeat(shells, FEWEST)
    direction = rng.normal(size=(len(shell), 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    low, high = q_edges[shell], q_edges[shell + 1]
    radius = np.cbrt(low**3 + rng.random(len(shell)) * (high**3 - low**3))
    vectors = direction * radius[:, None]
    modes = lattice.modes_at(force_constants, vectors @ np.linalg.inv(force_constants.crystal.reciprocal))
    return PowderSample(np.arange(len(shell)), vectors, shell), modes
