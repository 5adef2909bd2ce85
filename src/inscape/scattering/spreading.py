"""What modes scatter, spread over bins of energy as far as their energies vary between the points of a mesh.

A mesh of few wave vectors gives few energies, and spectra that are rows of spikes. Where `Modes.spreads` says how much
energies vary from one wave vector to the next, each mode is a Gaussian of that width instead (J. R. Yates, X. Wang,
D. Vanderbilt and I. Souza, Phys. Rev. B 75, 195121, 2007): flat branches stay sharp, steep ones become smooth.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from inscape.errors import GridError

if TYPE_CHECKING:
    from inscape.lattice import Modes

Array = NDArray[np.floating]

NARROWEST, RATIO = 0.5, 1.5
"""Widths are rounded to one of a ladder: the narrowest, in bins, and how many times wider each is than the last."""

REACH = 4.0
"""Gaussians end at so many widths."""


@dataclass(frozen=True, eq=False)
class Spreading:
    """Widths of modes on bins of energy.

    ``steps`` (n_q, n_modes), which step of the ladder is the width of each, 0 for those that stay in their bin;
    ``n_energy`` bins.
    """

    steps: NDArray[np.intp]
    n_energy: int

    @classmethod
    def of(cls, modes: Modes, edges: Array) -> Spreading:
        """Widths of modes on bins of these edges, shape (n_energy + 1,), meV.

        Raises
        ------
        GridError
            Bins of different widths, where modes have spreads.
        """
        n_energy = len(edges) - 1
        if modes.spreads is None:
            return cls(np.zeros(modes.energies.shape, dtype=np.intp), n_energy)
        if not is_even(edges):
            raise GridError("energy: modes are spread over bins of one width only; these differ")
        in_bins = np.maximum(modes.spreads / (edges[1] - edges[0]), 1e-9)
        steps = 1 + np.rint(np.log(in_bins / NARROWEST) / np.log(RATIO))
        return cls(np.maximum(steps, 0).astype(np.intp), n_energy)

    @property
    def n_steps(self) -> int:
        """Of the ladder that are needed."""
        return 1 + int(self.steps.max(initial=0))

    def matrix(self, step: int) -> csr_array:
        """What takes contents of bins to contents spread by a step of the ladder, shape (n_energy, n_energy)."""
        return _matrix(self.n_energy, step)

    def sum(self, contents: Array) -> Array:
        """All contents, shape (n_steps, ..., n_energy), each spread by its step, together: (..., n_energy)."""
        total = np.array(contents[0], dtype=float)
        for step in range(1, self.n_steps):
            total += (contents[step].reshape(-1, self.n_energy) @ self.matrix(step)).reshape(total.shape)
        return total


def is_even(edges: Array) -> bool:
    """Whether all bins are of one width."""
    widths = np.diff(edges)
    return bool(np.allclose(widths, widths[0], rtol=1e-6))


@lru_cache(maxsize=64)
def _matrix(n_energy: int, step: int) -> csr_array:
    """Each bin a Gaussian over its neighbours, folded back where it would leave the grid."""
    width = NARROWEST * RATIO ** (step - 1) if step else 0.0
    reach = min(int(np.ceil(REACH * width)), n_energy - 1)
    offsets = np.arange(-reach, reach + 1)
    shares = np.exp(-0.5 * (offsets / max(width, 1e-9)) ** 2)
    rows, columns = np.broadcast_arrays(np.arange(n_energy)[:, None], np.arange(n_energy)[:, None] + offsets)
    columns = np.where(columns < 0, -1 - columns, np.where(columns >= n_energy, 2 * n_energy - 1 - columns, columns))
    values = np.broadcast_to(shares / shares.sum(), rows.shape)
    return csr_array((values.ravel(), (rows.ravel(), columns.ravel())), shape=(n_energy, n_energy))
