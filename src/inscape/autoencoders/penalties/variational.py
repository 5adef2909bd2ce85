"""Variational autoencoders: a code is a normal distribution, kept close to the standard one.

References
----------
D. P. Kingma and M. Welling, Auto-encoding variational Bayes, arXiv:1312.6114 (2013): appendix B for the divergence.
I. Higgins et al., β-VAE, ICLR (2017).
S. R. Bowman et al., arXiv:1511.06349 (2015): annealing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from inscape.autoencoders.networks import Bottleneck
from inscape.autoencoders.penalties.base import Pass, Penalty


class NormalBottleneck(Bottleneck):
    """Mean and logarithm of the variance of each element; the code is the mean, or in training a random draw."""

    per_component = 2
    elementwise = False

    def forward(self, numbers: Tensor) -> Tensor:
        return numbers[:, : self.n_components]

    def draw(self, numbers: Tensor) -> Tensor:
        mean, log_variance = numbers.chunk(2, dim=1)
        return mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)


def divergence(numbers: Tensor) -> Tensor:
    """KL divergence of the codes' distributions from the standard normal one, nats, shape (m, n_components)."""
    mean, log_variance = numbers.chunk(2, dim=1)
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


@dataclass(frozen=True)
class Variational(Penalty):
    """``beta`` times the KL divergence from the standard normal distribution, in nats.

    With a likelihood as loss and β = 1 the loss is −ELBO, divided by the number of values in a sample; larger β
    disentangles. The weight rises from 0 over the share ``warm_up`` of the training, lest elements be given up early.
    """

    beta: float = 1.0
    warm_up: float = 0.0
    shapes: ClassVar[bool] = True
    from_pca: ClassVar[bool] = False

    def bottleneck(self, n_components: int) -> Bottleneck:
        return NormalBottleneck(n_components)

    def cost(self, batch: Pass) -> Tensor:
        rising = self.warm_up and batch.network.training  # epochs are judged by the whole weight
        share = min(1.0, batch.share / self.warm_up) if rising else 1.0
        return share * self.beta * batch.per_value(divergence(batch.numbers).sum(dim=1))
