"""Symmetry spares work: the force constants of a pair, turned, are those of the pairs that it is taken to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inscape.structure_model.pairs import Pairs
from inscape.structures import Crystal

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PairImages:
    """All pairs of a crystal as images of a few.

    ``every`` pair; ``source`` (n_pairs,), which of them each is an image of, and ``by`` (n_pairs,), which of the
    ``rotations`` (n_rotations, 3, 3) takes it there.
    """

    every: Pairs
    source: Tensor
    by: Tensor
    rotations: Tensor

    @classmethod
    def by_symmetry(cls, crystal: Crystal, pairs: Pairs) -> PairImages:
        """One for each set of pairs that the space group takes to each other."""
        images = _images(crystal, pairs.atoms.numpy(), pairs.ways.double().numpy())
        rotations = torch.from_numpy(crystal.operations.rotations).float()
        return cls(pairs, torch.from_numpy(images.min(axis=0)), torch.from_numpy(images.argmin(axis=0)), rotations)

    @cached_property
    def _own(self) -> Tensor:
        """The sources and their reverses, ascending."""
        own: Tensor = torch.unique(torch.cat([self.source, self.every.reverse[self.source]]))
        return own

    @cached_property
    def few(self) -> Pairs:
        """Enough pairs to tell all of them, each with its reverse."""
        own = self._own
        return Pairs(self.every.atoms[:, own], self.every.ways[own], torch.searchsorted(own, self.every.reverse[own]))

    @cached_property
    def _of(self) -> Tensor:
        """Which of the few each pair is an image of, shape (n_pairs,)."""
        return torch.searchsorted(self._own, self.source)

    def __call__(self, tensors: Tensor) -> Tensor:
        """Force constants of all pairs, (n_pairs, 3, 3), from those of the few."""
        turns = self.rotations.index_select(0, self.by)
        found: Tensor = turns.mT @ tensors.index_select(0, self._of) @ turns
        return 0.5 * (found + found[self.every.reverse].mT)  # the same to the last digit in both directions


def _images(crystal: Crystal, atoms: Integers, ways: NDArray[np.float64]) -> Integers:
    """The pair that each operation takes a pair to, (n_operations, n_pairs); one past all where it is not in the list.

    Pairs are told apart by their atoms and the cell of the second, counted from that of the first.
    """
    turns, _, permutations = crystal.operations
    steps = ways @ np.linalg.inv(crystal.lattice)
    steps = np.concatenate([steps[None], steps @ turns.swapaxes(1, 2)])
    there = np.concatenate([np.arange(crystal.n_atoms)[None], np.argsort(permutations, axis=1)])
    first, second = there[:, atoms[0]], there[:, atoms[1]]
    cells = np.rint(steps - crystal.positions[second] + crystal.positions[first]).astype(np.int64)
    most = int(np.abs(cells).max(initial=0))
    sizes = (crystal.n_atoms, crystal.n_atoms, *[2 * most + 1] * 3)
    keys = np.ravel_multi_index((first, second, *np.moveaxis(cells + most, -1, 0)), sizes)
    order = np.argsort(keys[0])
    place = np.minimum(np.searchsorted(keys[0], keys[1:], sorter=order), len(order) - 1)
    return np.where(keys[0][order[place]] == keys[1:], order[place], len(order))
