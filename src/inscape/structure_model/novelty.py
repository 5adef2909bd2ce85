"""How foreign a crystal is to the training data: distance to its nearest neighbours there, in pooled features.

What is foreign misleads a prediction in proportion to the energies it is about, and those of light atoms are high, as
1/√M: so distances count more where atoms are light.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from inscape.cells.elements import NOT_METALS
from inscape.structure_model.network import MAX_NUMBER, Atoms

N_AXES = 24
N_NEIGHBOURS = 5
THRESHOLD = 1.0
"""Above this novelty a prediction is not to be trusted: 1 is the 97.5th percentile of crystals held out for tuning."""

FOREIGN_ELEMENT = 10.0
"""Added to the novelty of a crystal with an element that no training crystal has."""

LIGHTNESS = 0.5
"""Power of the mean of 1/√M in the novelty. With a larger one it follows errors in meV more closely, and tells heavy
elements less well; of the quarters it is the smallest that has a rank correlation of 0.4 with the errors of tuning
crystals."""

ONLY_METALS = 1.0
"""Added to the novelty of elemental metals and intermetallics: the training data are insulators and semiconductors."""


class Novelty(nn.Module):
    """Mean distance to the nearest training crystals, more for light atoms, over what few held-out crystals exceed.

    The features of all atoms of a cell are averaged, and so is their spread; both are standardised and projected on
    the principal axes of the training crystals.
    """

    mean: Tensor
    axes: Tensor
    known: Tensor
    elements: Tensor
    unit: Tensor

    def __init__(self, n_features: int, n_known: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(2 * n_features))
        self.register_buffer("axes", torch.zeros(N_AXES, 2 * n_features))
        self.register_buffer("known", torch.zeros(n_known, N_AXES))
        self.register_buffer("elements", torch.zeros(MAX_NUMBER))
        self.register_buffer("unit", torch.ones(1))

    @classmethod
    def fit(cls, training: Atoms, held_out: Atoms) -> Self:
        """Learn what is known from training crystals and what is usual from held-out ones."""
        pooled = _pool(training)
        scale = pooled.std(dim=0).clamp_min(1e-3)
        centred = (pooled - pooled.mean(dim=0)) / scale
        _, singular, axes = torch.linalg.svd(centred, full_matrices=False)
        found = cls(training.features.shape[1], len(pooled))
        found.mean.copy_(pooled.mean(dim=0))
        n_axes = min(N_AXES, len(pooled) - 1)  # few crystals span fewer axes
        spread = singular[:n_axes, None] / np.sqrt(len(pooled))
        found.axes[:n_axes] = axes[:n_axes] / spread.sqrt() / scale  # soft whitening: strong axes still count more
        found.known.copy_(found._project(pooled))
        found.elements[training.numbers] = 1.0
        found.unit.copy_(found._distance(held_out).quantile(0.975))
        return found

    def forward(self, atoms: Atoms) -> Tensor:
        """Novelty of each crystal, shape (n_crystals,); above 1 foreign."""
        novelty = self._distance(atoms) / self.unit
        foreign = atoms.sum(1.0 - self.elements[atoms.numbers]) > 0
        metallic = atoms.sum(torch.isin(atoms.numbers, torch.tensor(sorted(NOT_METALS))).float()) == 0
        return novelty + FOREIGN_ELEMENT * foreign + ONLY_METALS * metallic

    def _project(self, pooled: Tensor) -> Tensor:
        return (pooled - self.mean) @ self.axes.T

    def _distance(self, atoms: Atoms) -> Tensor:
        count = min(N_NEIGHBOURS, len(self.known))
        near = torch.cdist(self._project(_pool(atoms)), self.known).topk(count, largest=False).values
        lightness = atoms.sum(atoms.masses.rsqrt()[:, None])[:, 0] / atoms.counts
        return near.mean(dim=1) * lightness**LIGHTNESS


def _pool(atoms: Atoms) -> Tensor:
    """Mean and spread over the atoms of each crystal, shape (n_crystals, 2 n_features)."""
    counts = atoms.counts[:, None]
    mean = atoms.sum(atoms.features) / counts
    square = atoms.sum(atoms.features**2) / counts
    return torch.cat([mean, (square - mean**2).clamp_min(0).sqrt()], dim=1)
