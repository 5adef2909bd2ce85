"""Powder-averaged coherent scattering: phonons once on an irreducible mesh, then all Q = q + G of each |Q| shell."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inscape import lattice
from inscape.errors import GridError
from inscape.scattering.coherent import add_spectra
from inscape.scattering.lengths import ScatteringLengths
from inscape.scattering.resolution import broadening_matrix
from inscape.spectra import check_edges

if TYPE_CHECKING:
    from inscape.lattice import ForceConstants, Modes

Array = NDArray[np.floating]
Integers = NDArray[np.int64]

FEWEST = 12
"""A shell with fewer wave vectors than this on the mesh gets this many explicit ones."""

REPLICATES = 8
"""Independent samples of each shell whose scatter tells the error of their mean."""

MOST = 1_000_000
"""No more wave vectors than this in a shell, whatever the tolerance."""

PAIRS = 100_000
"""Pairs of q and G looked at together, at most."""


@dataclass(frozen=True, eq=False)
class PowderSample:
    """Wave vectors of the shells and which modes they use.

    ``q_index`` (n,), ``vectors`` (n, 3), and ``shell`` and ``replicate`` (n,): the independent sample each belongs to.
    """

    q_index: Integers
    vectors: Array
    shell: Integers
    replicate: Integers


@dataclass(frozen=True, eq=False)
class PowderMap:
    """A powder map and how well it is sampled.

    Parameters
    ----------
    values
        Reduced map R(|Q|,E), shape (n_q, n_energy), barn sr⁻¹ per atom.
    error
        Relative statistical error of each shell, shape (n_q,): standard error over norm, both root mean squares over
        energy after smoothing. It is that of choosing wave vectors from the mesh; what the mesh itself lacks is not in
        it, and shrinks with its spacing.
    counts
        Wave vectors of each shell, shape (n_q,).
    """

    values: Array
    error: Array
    counts: Integers


def powder_map(
    force_constants: ForceConstants,
    modes: Modes,
    q_edges: ArrayLike,
    energy_edges: ArrayLike,
    lengths: ScatteringLengths,
    displacement: Array,
    *,
    per_shell: int = 300,
    tolerance: float | None = None,
    rng: np.random.Generator | None = None,
    shells: Shells | None = None,
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
    tolerance
        If given, wave vectors are added to each shell until its relative error, as `powder_average` estimates it, is
        below.
    rng
        Source of the choice of wave vectors; seed 0 unless given.
    shells
        The `Shells` of these modes and bins of |Q|, if they are at hand.

    Returns
    -------
    Array
        Shape (n_q, n_energy), with n_temperatures in front where there are several, barn sr⁻¹ per atom; imaginary
        modes are left out.
    """
    arguments = (force_constants, modes, q_edges, energy_edges, lengths, displacement)
    if tolerance is not None:
        return powder_average(*arguments, per_shell=per_shell, tolerance=tolerance, rng=rng).values
    sums = _Sums(*arguments, replicates=1, shells=shells)
    sums.add(np.full(sums.counts.shape[1], per_shell), rng or np.random.default_rng(0))
    return sums.mean()


def powder_average(
    force_constants: ForceConstants,
    modes: Modes,
    q_edges: ArrayLike,
    energy_edges: ArrayLike,
    lengths: ScatteringLengths,
    displacement: Array,
    *,
    per_shell: int = 300,
    tolerance: float | None = None,
    width: float = 1.0,
    rng: np.random.Generator | None = None,
) -> PowderMap:
    """The map of `powder_map` with the statistical error of each shell, from `REPLICATES` independent samples.

    Parameters
    ----------
    tolerance
        If given, wave vectors are added to each shell until its error is below; ``per_shell`` is where it begins.
    width
        Errors are those of spectra smoothed by a Gaussian of this σ, meV.

    Raises
    ------
    GridError
        A tolerance that is not positive, or that `MOST` wave vectors do not meet.
    """
    if tolerance is not None and not tolerance > 0:
        raise GridError(f"tolerance is {tolerance}; it is a relative error, such as 0.02, and must be positive")
    rng = rng or np.random.default_rng(0)
    sums = _Sums(force_constants, modes, q_edges, energy_edges, lengths, displacement, replicates=REPLICATES)
    wanted = np.full(sums.counts.shape[1], max(1, per_shell // REPLICATES))
    while True:
        sums.add(wanted, rng)
        error, counts = sums.error(width), sums.counts.sum(axis=0)
        if tolerance is None or np.all(error <= tolerance):
            return PowderMap(sums.mean(), error, counts)
        short = error > tolerance
        if np.any(counts[short] >= MOST):
            raise GridError(
                f"{MOST} wave vectors in a shell leave an error of {error[short].max():.2g}, more than the tolerance "
                f"of {tolerance:g}; ask for less, or for wider shells"
            )
        factor = np.clip(1.3 * (error / tolerance) ** 2 - 1, 0.3, 15.0)
        wanted = np.where(short, np.ceil(np.minimum(factor * counts, MOST) / REPLICATES), 0).astype(np.int64)


def powder_points(
    modes: Modes,
    shells: Shells,
    energy_edges: Array,
    lengths: ScatteringLengths,
    displacement: Array,
    *,
    n_points: int,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Reduced spectra at single wave vectors in all directions, equally many in each shell of |Q|.

    Parameters
    ----------
    shells
        The shells of |Q|, of the same modes.
    n_points
        Wave vectors in all.

    Returns
    -------
    vectors
        Q, shape (n_points, 3), Cartesian, 1/Å.
    spectra
        Shape (n_points, n_energy), barn sr⁻¹ per atom.
    """
    n_shells = len(shells.bounds) - 1
    few = shells.draw(np.full(n_shells, -(-2 * n_points // n_shells)), rng)
    pick = rng.permutation(len(few.shell))[:n_points]
    vectors, index, rows = few.vectors[pick], few.q_index[pick], np.arange(len(pick))
    spectra = np.zeros((len(pick), len(energy_edges) - 1))
    add_spectra(spectra, modes, index, vectors, rows, energy_edges, lengths, displacement)
    return vectors, spectra / np.diff(energy_edges)


class _Sums:
    """Sums of reduced intensities over independent samples of each shell, and how many wave vectors they hold."""

    def __init__(
        self,
        force_constants: ForceConstants,
        modes: Modes,
        q_edges: ArrayLike,
        energy_edges: ArrayLike,
        lengths: ScatteringLengths,
        displacement: Array,
        *,
        replicates: int,
        shells: Shells | None = None,
    ) -> None:
        self.force_constants, self.modes = force_constants, modes
        self.q_edges = check_edges(q_edges, name="|Q|")
        self.energy_edges = check_edges(energy_edges, name="energies")
        self.lengths, self.displacement = lengths, displacement
        self.tensors = displacement.reshape(-1, *displacement.shape[-3:])  # one set a temperature
        self.shells = shells or Shells(modes, self.q_edges)
        self.counts = np.zeros((replicates, len(self.q_edges) - 1), dtype=np.int64)
        self.totals = np.zeros((len(self.tensors), *self.counts.shape, len(self.energy_edges) - 1))

    def add(self, wanted: Integers, rng: np.random.Generator) -> None:
        """Add a sample of ``wanted`` wave vectors a shell to each replicate."""
        replicates, n_q = self.counts.shape
        sample = self.shells.draw(wanted, rng, replicates)
        self._take(sample, self.modes)
        sampled = np.bincount(sample.shell, minlength=n_q) > 0
        empty = np.flatnonzero(~sampled & (wanted > 0))
        if len(empty):
            count = int(wanted[empty].max()) if self.counts[:, empty].any() else FEWEST
            self._take(*_explicit_shells(self.force_constants, self.q_edges, np.repeat(empty, count), rng, replicates))

    def _take(self, sample: PowderSample, modes: Modes) -> None:
        n_q = self.counts.shape[1]
        rows = sample.replicate * n_q + sample.shell
        self.counts += np.bincount(rows, minlength=self.counts.size).reshape(self.counts.shape)
        for total, tensors in zip(self.totals, self.tensors, strict=True):
            flat = total.reshape(self.counts.size, -1)
            for part in self.lengths.parts:  # Q and −Q, of which only one is in the irreducible mesh
                add_spectra(flat, modes, sample.q_index, sample.vectors, rows, self.energy_edges, part, tensors)

    def mean(self) -> Array:
        """Average over all wave vectors, shape (n_q, n_energy), with temperatures in front where there are several."""
        counts = self.counts.sum(axis=0)
        found = self.totals.sum(axis=1) / counts[:, None] / np.diff(self.energy_edges)
        return np.asarray(found.reshape(*self.displacement.shape[:-3], *found.shape[1:]))

    def error(self, width: float) -> Array:
        """Relative standard error of each shell's mean after smoothing, of the worst temperature, shape (n_q,)."""
        density = self.totals / self.counts[..., None] / np.diff(self.energy_edges)
        matrix = broadening_matrix(self.energy_edges, width)
        smooth = (matrix @ density.reshape(-1, matrix.shape[0]).T).T.reshape(density.shape)
        variance = smooth.var(axis=1, ddof=1) / len(self.counts) @ np.diff(self.energy_edges)
        norm = smooth.mean(axis=1) ** 2 @ np.diff(self.energy_edges)
        return np.asarray(np.sqrt(variance / np.where(norm > 0, norm, 1.0)).max(axis=0))


class Shells:
    """All pairs of q and G whose sum lies in a shell of |Q|, sorted by shell; samples are drawn from them.

    There are about (4π/3) (|Q|/spacing)³ over the order of the Laue group, whatever the cell.

    Parameters
    ----------
    modes
        Modes on a mesh.
    q_edges
        Edges of the shells, shape (n_shells + 1,), 1/Å.
    """

    def __init__(self, modes: Modes, q_edges: Array) -> None:
        crystal = modes.crystal
        self.q = modes.q @ crystal.reciprocal
        reach = q_edges[-1] + np.linalg.norm(self.q, axis=1).max()
        extent = np.ceil(reach / (2 * np.pi) * np.linalg.norm(crystal.lattice, axis=1)).astype(int)
        grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in extent), indexing="ij"), axis=-1).reshape(-1, 3)
        lattice_vectors = grid @ crystal.reciprocal
        length = np.linalg.norm(lattice_vectors, axis=1)
        self.lattice_vectors = lattice_vectors[np.argsort(length)][: np.sum(length < reach)]  # quicker if sorted
        step = max(1, PAIRS // len(self.lattice_vectors))
        parts = [self._inside(q_edges, start, start + step) for start in range(0, len(self.q), step)]
        shell, pairs = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(shell, kind="stable")  # a radix sort, for the shells are 16-bit numbers
        self.pairs = pairs[order]
        self.bounds = np.searchsorted(shell[order], np.arange(len(q_edges)))
        self.cumulative = np.cumsum(modes.weights[self.pairs // len(self.lattice_vectors)])

    def _inside(self, q_edges: Array, start: int, stop: int) -> tuple[NDArray[np.int16], Integers]:
        """Shell and number of the pairs of some q, q_index * n_G + g_index."""
        q, lattice_vectors = (v.astype(np.float32) for v in (self.q[start:stop], self.lattice_vectors))
        length = (2 * q) @ lattice_vectors.T
        length += np.sum(q**2, axis=1)[:, None]
        length += np.sum(lattice_vectors**2, axis=1)
        np.sqrt(np.maximum(length, 0, out=length), out=length)
        shell = _shells_of(length.ravel(), q_edges)
        inside = np.flatnonzero((shell >= 0) & (shell < len(q_edges) - 1))
        return shell[inside], inside + start * len(self.lattice_vectors)

    def draw(self, per_shell: Integers, rng: np.random.Generator, replicates: int = 1) -> PowderSample:
        """Choose wave vectors q + G in each shell, each mesh point by its weight.

        S has the symmetry of the Laue group, so the average over a sphere needs only the irreducible q, weighted by
        their stars, with all G.

        Parameters
        ----------
        per_shell
            How many of each shell, shape (n_shells,), in each of the independent ``replicates``. Shells in which fewer
            than `FEWEST` lie get none.
        """
        none = np.empty(0, dtype=np.int64)
        picks, shells, numbers = [none], [none], [none]
        for shell, (first, last) in enumerate(pairwise(self.bounds)):
            count = int(per_shell[shell])
            if count == 0 or last - first < FEWEST:
                continue
            below, inside = self.cumulative[first - 1] if first else 0.0, self.cumulative[first:last]
            steps = (np.arange(count) + rng.random((replicates, 1))) / count  # systematic sampling by weight
            pick = np.searchsorted(inside, below + steps.ravel() * (inside[-1] - below), side="right")
            picks.append(self.pairs[first + np.minimum(pick, last - first - 1)])
            shells.append(np.full(len(pick), shell))
            numbers.append(np.repeat(np.arange(replicates), count))
        q_index, g_index = np.divmod(np.concatenate(picks), len(self.lattice_vectors))
        vectors = self.q[q_index] + self.lattice_vectors[g_index]
        return PowderSample(q_index, vectors, np.concatenate(shells), np.concatenate(numbers))


def _shells_of(length: Array, q_edges: Array) -> NDArray[np.int16]:
    """Number of the shell that each |Q| lies in; −1, or as many as there are, for those in none."""
    width = (q_edges[-1] - q_edges[0]) / (len(q_edges) - 1)
    if np.allclose(np.diff(q_edges), width, rtol=1e-9):  # several times quicker than to search
        place = (length - q_edges[0]) * (1 / width)
        np.floor(np.clip(place, -1, len(q_edges) - 1, out=place), out=place)
        return np.asarray(place, dtype=np.int16)
    return (np.searchsorted(q_edges, length, side="right") - 1).astype(np.int16)


def _explicit_shells(
    force_constants: ForceConstants, q_edges: Array, shells: Integers, rng: np.random.Generator, replicates: int
) -> tuple[PowderSample, Modes]:
    """A wave vector at random in each of the shells for each replicate, with modes of its own."""
    shell = np.tile(shells, replicates)
    replicate = np.repeat(np.arange(replicates), len(shells))
    direction = rng.normal(size=(len(shell), 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    low, high = q_edges[shell], q_edges[shell + 1]
    radius = np.cbrt(low**3 + rng.random(len(shell)) * (high**3 - low**3))
    vectors = direction * radius[:, None]
    modes = lattice.modes_at(force_constants, vectors @ np.linalg.inv(force_constants.crystal.reciprocal))
    return PowderSample(np.arange(len(shell)), vectors, shell, replicate), modes
