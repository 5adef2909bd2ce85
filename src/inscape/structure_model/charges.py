"""Born charges and the dielectric tensor of a crystal from the features of its atoms, for the field of polar modes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inscape.structure_model.network import Atoms, Trunk
from inscape.structure_model.pairs import coupling_of_vectors


class ChargeNetwork(nn.Module):
    """Born charges, which sum to 0 over the cell, and a dielectric tensor, which is positive: the exponential of a sum
    over atoms. Both turn with the crystal.

    Parameters
    ----------
    n_features, rank_2
        Invariant features of an atom, and its tensors of rank 2.
    width, depth, heads, dropout
        Of the trunk, in which atoms hear each other.
    channels
        Tensors of rank 2 that enter.
    """

    second: Tensor

    def __init__(
        self,
        n_features: int,
        rank_2: int = 64,
        width: int = 192,
        depth: int = 2,
        heads: int = 4,
        dropout: float = 0.1,
        channels: int = 16,
    ) -> None:
        super().__init__()
        self.trunk = Trunk(n_features, width, depth, heads, dropout)
        self.mix = nn.Linear(rank_2, channels, bias=False)
        self.shares = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 2 * (1 + channels)))
        self.register_buffer("second", coupling_of_vectors(), persistent=False)

    def forward(self, atoms: Atoms, rank_2: Tensor) -> tuple[Tensor, Tensor]:
        """Born charges (n_atoms, 3, 3), elementary charges, and dielectric tensors (n_crystals, 3, 3).

        Parameters
        ----------
        rank_2
            Tensors of rank 2 of each atom, shape (n_atoms, 5, channels).
        """
        share = self.shares(self.trunk(atoms)).view(len(rank_2), 2, -1)
        deviator = torch.einsum("xyk,nkc,nsc->snxy", self.second, self.mix(rank_2), share[:, :, 1:])
        charges, logarithm = deviator + share[:, :, 0].T[:, :, None, None] * torch.eye(3)
        counts = atoms.counts[:, None, None]
        charges = charges - (atoms.sum(charges) / counts)[atoms.crystal]
        return charges, torch.matrix_exp(atoms.sum(logarithm) / counts)
