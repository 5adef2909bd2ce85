"""What training makes small: the error of reconstruction, of corrupted samples, and what penalties add."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from inscape.autoencoders.corruptions import Corruption, apply
from inscape.autoencoders.losses import Loss
from inscape.autoencoders.networks import Network
from inscape.autoencoders.penalties.base import Pass, Penalty

Batch = tuple[Tensor, Tensor | None, Tensor | None]
"""Values with NaN, shape (m, size); mask, True where measured, or None; weights, shape (m,), or None."""


class Criterion:
    """A function of network and batch, as `inscape.training.fit_network` takes it.

    Parameters
    ----------
    loss, penalties, corruptions
        What is made small, and what is done to samples on their way in.
    shape
        Of one sample.

    Attributes
    ----------
    share
        Share of the training that is done, 0 to 1.
    """

    def __init__(
        self,
        loss: Loss,
        penalties: Sequence[Penalty],
        corruptions: Sequence[Corruption],
        shape: tuple[int, ...],
    ) -> None:
        self.loss = loss
        self.penalties = penalties
        self.corruptions = corruptions
        self.shape = shape
        self.share = 0.0

    def progress(self, share: float) -> None:
        """Note how far the training is."""
        self.share = share

    def __call__(self, network: nn.Module, batch: Batch) -> Tensor:
        """Loss of a batch, a mean over its values."""
        assert isinstance(network, Network)
        values, mask, weights = batch
        true = network.standardise(values, complete=mask is None)
        entered = network.standardise(apply(self.corruptions, values, self.shape)) if self.corruptions else true
        numbers = network.numbers(entered)
        code = network.bottleneck.draw(numbers)
        decoded = network.decode(code)

        def error(decoded: Tensor) -> Tensor:
            return self.loss.mean(*self.compared(network, decoded, values, true, mask), mask, weights, self.shape)

        total = error(decoded)
        if self.penalties:
            seen = Pass(network, entered, true, numbers, code, decoded, error, mask, weights, self.share)
            for penalty in self.penalties:
                total = total + penalty.cost(seen)
        return total

    def compared(
        self, network: Network, decoded: Tensor, values: Tensor, true: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Decoded and true rows, shape (m, size), standardised or as data, as the loss wants them."""
        if self.loss.natural:
            return network.restore(decoded), values if mask is None else torch.nan_to_num(values, nan=0.0)
        if network.output != "linear":
            decoded = (network.restore(decoded) - network.mean) / network.scale
        return decoded, true
