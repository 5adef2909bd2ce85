"""Symmetry spares work: what an equivariant network says of an atom, turned, is what it says of the atom's images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inscape.potentials.harmonics import LMAX, Tensors, spherical_harmonics
from inscape.structures import Crystal

_POINTS = torch.tensor([[math.cos(k), math.sin(2 * k), math.sin(3 * k + 1)] for k in range(12)], dtype=torch.float64)
_DIRECTIONS = torch.nn.functional.normalize(_POINTS)
"""Twelve directions, enough to tell harmonics of up to rank 3 apart."""

_INVERSES = [torch.linalg.pinv(harmonics) for harmonics in spherical_harmonics(_DIRECTIONS)]
"""From the values of harmonics there to their coefficients, by rank."""


@dataclass(frozen=True)
class Images:
    """All atoms of some crystals as images of a few, their sources.

    ``sources`` (n_sources,), which atoms these are; ``of`` (n_atoms,), which of the sources each atom is an image of;
    ``turns``, by rank from 1, the matrices that turn tensors of the source, each (n_atoms, 2l + 1, 2l + 1).
    """

    sources: Tensor
    of: Tensor
    turns: Tensors

    @classmethod
    def by_symmetry(cls, crystals: Sequence[Crystal]) -> Images:
        """One source for each set of atoms that the space group of a crystal takes to each other."""
        atoms, rotations, start = [], [], 0
        for crystal in crystals:
            source, rotation = _sources(crystal)
            atoms.append(source + start)
            rotations.append(rotation)
            start += len(source)
        sources, of = np.unique(np.concatenate(atoms), return_inverse=True)
        turned = _DIRECTIONS @ torch.from_numpy(np.concatenate(rotations)).mT
        after = spherical_harmonics(turned.reshape(-1, 3))
        turns = [
            (_INVERSES[rank] @ after[rank].view(len(of), len(_DIRECTIONS), -1)).mT.float()
            for rank in range(1, LMAX + 1)
        ]
        return cls(torch.from_numpy(sources), torch.from_numpy(of.reshape(-1)), turns)

    def __call__(self, x: Tensors) -> Tensors:
        """Features of all atoms, by rank, from those of the sources."""
        scalars, *tensors = (part.index_select(0, self.of) for part in x)
        return [scalars, *(torch.bmm(turn, part) for turn, part in zip(self.turns, tensors, strict=False))]


def _sources(crystal: Crystal) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The first atom that symmetry takes to each, shape (n_atoms,), and the rotations that do, (n_atoms, 3, 3)."""
    _, rotations, permutations = crystal.operations
    which = permutations.argmin(axis=0)
    return permutations[which, np.arange(crystal.n_atoms)], rotations[which]
