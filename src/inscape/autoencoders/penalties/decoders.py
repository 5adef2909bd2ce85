"""What is asked of the decoder: the encoder's own weights, atoms of length one, atoms at right angles.

An *atom* is a column of the decoder's first matrix: what one element of a code adds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from inscape.autoencoders.networks import Network
from inscape.autoencoders.penalties.base import Pass, Penalty
from inscape.errors import DataError


class UnitLinear(nn.Linear):
    """A linear layer whose columns have length one."""

    def columns(self) -> Tensor:
        """The matrix that is applied, shape (out, in)."""
        return nn.functional.normalize(self.weight, dim=0)

    def forward(self, values: Tensor) -> Tensor:
        return nn.functional.linear(values, self.columns(), self.bias)


class TiedLinear(nn.Module):
    """The transpose of another layer, which alone holds the matrix, with a bias of its own."""

    def __init__(self, source: nn.Linear, bias: Tensor) -> None:
        super().__init__()
        self.source = (source,)  # in a tuple, so that the matrix is not registered twice
        self.bias = nn.Parameter(bias.detach().clone())

    def columns(self) -> Tensor:
        """The matrix that is applied, shape (out, in)."""
        return self.source[0].weight.T

    def forward(self, values: Tensor) -> Tensor:
        return nn.functional.linear(values, self.columns(), self.bias)


def atoms_of(network: Network) -> Tensor:
    """Columns of the decoder's first matrix, shape (out, n_components); `DataError` if it begins otherwise."""
    for module in network.decoder.modules():
        if isinstance(module, UnitLinear | TiedLinear):
            return module.columns()
        if isinstance(module, nn.Linear):
            return module.weight
    raise DataError("the decoder has no linear layer, so there are no atoms: leave out penalties of its columns")


@dataclass(frozen=True)
class Tied(Penalty):
    """Each matrix of the decoder is the transpose of the encoder's: half the weights, and no scale to hide in."""

    from_pca: ClassVar[bool] = False

    def constrain(self, network: Network) -> None:
        encoder, decoder = network.encoder, network.decoder
        parts = [part for part in (encoder, decoder) if isinstance(part, nn.Sequential)]
        if len(parts) < 2 or network.bottleneck.per_component != 1 or not all(map(is_perceptron, parts)):
            raise DataError("Tied needs architecture = 'dense', and a code of one number an element (no Variational)")
        sources = [layer for layer in parts[0] if isinstance(layer, nn.Linear)][::-1]
        places = [i for i, layer in enumerate(parts[1]) if isinstance(layer, nn.Linear)]
        for place, source in zip(places, sources, strict=True):
            bias = parts[1][place].bias
            assert isinstance(bias, Tensor)
            parts[1][place] = TiedLinear(source, bias)


def is_perceptron(part: nn.Sequential) -> bool:
    """Whether it is a chain of linear layers and activations."""
    return all(isinstance(layer, nn.Linear) or not list(layer.parameters()) for layer in part)


@dataclass(frozen=True)
class UnitNorm(Penalty):
    """Atoms of length one, so that the size of a code says how much of each there is."""

    from_pca: ClassVar[bool] = False

    def constrain(self, network: Network) -> None:
        first = network.decoder[0] if isinstance(network.decoder, nn.Sequential) else network.decoder
        if not isinstance(first, nn.Linear) or not isinstance(network.decoder, nn.Sequential):
            raise DataError("UnitNorm needs a decoder that begins with a linear layer of its own (not Tied)")
        layer = UnitLinear(first.in_features, first.out_features)
        layer.load_state_dict(first.state_dict())
        network.decoder[0] = layer


@dataclass(frozen=True)
class Orthogonal(Penalty):
    """``weight`` · mean squared cosine between different atoms."""

    weight: float = 0.1

    def cost(self, batch: Pass) -> Tensor:
        atoms = nn.functional.normalize(atoms_of(batch.network), dim=0)
        k = atoms.shape[1]
        off = (atoms.T @ atoms) * (1 - torch.eye(k, dtype=atoms.dtype, device=atoms.device))
        return self.weight * off.square().sum() / max(1, k * (k - 1))
