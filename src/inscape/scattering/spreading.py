"""What modes scatter, spread over bins of energy as far as their energies vary between the points of a mesh.

A mesh of few wave vectors gives few energies, and spectra that are rows of spikes. Where `Modes.spreads` says how much
energies vary from one wave vector to the next, each mode is a Gaussian of that width instead (J. R. Yates, X. Wang,
D. Vanderbilt and I. Souza, Phys. Rev. B 75, 195121, 2007): flat branches stay sharp, steep ones become smooth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inscape.errors import GridError
from inscape.spectra import smooth

if TYPE_CHECKING:
    from inscape.lattice import Modes

Array = NDArray[np.floating]

NARROWEST, RATIO = 0.5, 1.5
"""Widths are rounded to one of a ladder: the narrowest, in bins, and how many times wider each is than the last."""


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

    def sum(self, contents: Array) -> Array:
        """All contents, shape (n_steps, ..., n_energy), each spread by its step, together: (..., n_energy)."""
        total = np.array(contents[0], dtype=float)
        for step in range(1, self.n_steps):
            total += smooth(contents[step], NARROWEST * RATIO ** (step - 1), 1.0)
        return total


def is_even(edges: Array) -> bool:
    """Whether all bins are of one width."""
    widths = np.diff(edges)
    return bool(np.allclose(widths, widths[0], rtol=1e-6))
