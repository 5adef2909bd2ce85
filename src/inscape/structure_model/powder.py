"""From structure to the code of the powder map's distinct part."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from inscape.structure_model.geometry import N_INTERFERENCE, Geometry, interference
from inscape.structure_model.network import Atoms, Trunk


class PowderNetwork(nn.Module):
    """Pooled atoms and the interference of their pairs in, a code out.

    Parameters
    ----------
    n_features, n_levels, n_components
        Features of an atom, bins of u (the kernel's diagonal tells how energy is spread over them), size of the code.
    q
        |Q| at which pair interference is evaluated, 1/Å.
    width, atom_width, dropout
        Of the networks.
    """

    q: Tensor
    scale: Tensor

    def __init__(
        self,
        n_features: int,
        n_levels: int,
        n_components: int,
        q: Sequence[float],
        width: int = 512,
        atom_width: int = 128,
        dropout: float = 0.15,
    ) -> None:
        super().__init__()
        self.register_buffer("q", torch.tensor(list(q), dtype=torch.float32))
        self.register_buffer("scale", torch.ones(n_components))
        self.trunk = Trunk(n_features, atom_width, 1, 4, dropout)
        n_waves = N_INTERFERENCE * len(self.q)
        self.mix = nn.Sequential(
            nn.Linear(3 * atom_width + n_waves + n_levels, width), nn.GELU(), nn.Dropout(dropout),
            nn.Linear(width, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, n_components),
        )  # fmt: skip
        self.direct = nn.Linear(n_waves, n_components)

    def forward(self, atoms: Atoms, geometries: Sequence[Geometry], kernels: Tensor) -> Tensor:
        """Codes, shape (n_crystals, n_components); kernels of `cut_kernel` (n_crystals, n_levels, n_levels)."""
        h = self.trunk(atoms)
        own = torch.cat([g.weights for g in geometries])[:, None]
        signed = torch.cat([g.lengths / g.lengths.abs().sum() for g in geometries])[:, None]
        waves = torch.stack([interference(g, self.q).flatten() for g in geometries])
        spread = kernels.diagonal(dim1=1, dim2=2).clamp_min(1e-9).log() / 3
        pooled = [atoms.sum(h) / atoms.counts[:, None], atoms.sum(h * own), atoms.sum(h * signed)]
        code: Tensor = (self.mix(torch.cat([*pooled, waves, spread], dim=1)) + self.direct(waves)) * self.scale
        return code
