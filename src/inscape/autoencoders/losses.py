"""What a reconstruction costs: functions of the decoded and the true value, element by element.

A loss sees standardised values, or, if it is ``natural``, values in the unit of the data. The likelihoods are natural:
they are negative logarithms, in nats, of the probability of the data.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from inscape.autoencoders.parts import Part
from inscape.errors import DataError

TINY = 1e-8
"""Rates, probabilities and areas are kept above this."""


@dataclass(frozen=True)
class Loss(Part):
    """Abstract: the cost of each element of decoded rows.

    ``natural`` says whether it is judged in the unit of the data; ``output`` is how rows are decoded unless the
    autoencoder says otherwise (`inscape.autoencoders.outputs`); ``least`` and ``most`` bound the data.
    """

    natural: ClassVar[bool] = False
    output: ClassVar[str] = "linear"
    least: ClassVar[float] = -math.inf
    most: ClassVar[float] = math.inf

    @abstractmethod
    def __call__(self, decoded: Tensor, true: Tensor, mask: Tensor | None, shape: tuple[int, ...]) -> Tensor:
        """Costs, shape (m, size), of rows of samples of this shape; True in the mask is measured.

        What stands in ``true`` under the mask is 0 and must not matter; its cost is left out afterwards.
        """

    def mean(
        self, decoded: Tensor, true: Tensor, mask: Tensor | None, weights: Tensor | None, shape: tuple[int, ...]
    ) -> Tensor:
        """Mean cost of a batch; ``weights``, shape (m,), are those of rows, with mean 1."""
        return masked_mean(self(decoded, true, mask, shape), mask, weights)


@dataclass(frozen=True)
class Squared(Loss):
    """(decoded − true)²."""

    def __call__(self, decoded: Tensor, true: Tensor, mask: Tensor | None, shape: tuple[int, ...]) -> Tensor:
        return nn.functional.mse_loss(decoded, true, reduction="none")

    def mean(
        self, decoded: Tensor, true: Tensor, mask: Tensor | None, weights: Tensor | None, shape: tuple[int, ...]
    ) -> Tensor:
        """As for every loss; without gaps and weights in one pass that holds no costs of elements."""
        if mask is None and weights is None:
            return nn.functional.mse_loss(decoded, true)
        return super().mean(decoded, true, mask, weights, shape)


@dataclass(frozen=True)
class Absolute(Loss):
    """|decoded − true|."""

    def __call__(self, decoded: Tensor, true: Tensor, mask: Tensor | None, shape: tuple[int, ...]) -> Tensor:
        return (decoded - true).abs()


@dataclass(frozen=True)
class Huber(Loss):
    """½(decoded − true)² up to a difference of ``delta`` (in standard deviations), linear beyond."""

    delta: float = 1.0

    def __call__(self, decoded: Tensor, true: Tensor, mask: Tensor | None, shape: tuple[int, ...]) -> Tensor:
        return nn.functional.huber_loss(decoded, true, reduction="none", delta=self.delta)


@dataclass(frozen=True)
class Wasserstein(Loss):
    """|∫(p − t)|, p and t of area 1 along an axis: its sum there is the Wasserstein-1 distance in bins.

    Intensity in the wrong place costs by how far it has to be moved. ``axis`` counts axes of a sample.
    """

    axis: int = -1
    natural: ClassVar[bool] = True
    output: ClassVar[str] = "nonnegative"
    least: ClassVar[float] = 0.0

    def __call__(self, decoded: Tensor, true: Tensor, mask: Tensor | None, shape: tuple[int, ...]) -> Tensor:
        dim = axis_of(self.axis, shape)
        p, t = (without(x, mask).reshape(-1, *shape) for x in (decoded, true))
        p, t = (x / x.sum(dim, keepdim=True).clamp_min(TINY) for x in (p, t))
        return (p - t).cumsum(dim).abs().flatten(1)


@dataclass(frozen=True)
class Cosine(Loss):
    """1 − cosine of decoded and true values along an axis, or of whole samples: the scale of a sample is free."""

    axis: int | None = None
    natural: ClassVar[bool] = True

    def __call__(self, decoded: Tensor, true: Tensor, mask: Tensor | None, shape: tuple[int, ...]) -> Tensor:
        p, t = (without(x, mask) for x in (decoded, true))
        if self.axis is None:
            return (1 - nn.functional.cosine_similarity(p, t, dim=1))[:, None].expand_as(p)
        dim = axis_of(self.axis, shape)
        p, t = p.reshape(-1, *shape), t.reshape(-1, *shape)
        return (1 - nn.functional.cosine_similarity(p, t, dim=dim)).unsqueeze(dim).expand_as(p).flatten(1)


@dataclass(frozen=True)
class GaussianLikelihood(Loss):
    """Normal errors of standard deviation ``sigma``, in the unit of the data."""

    sigma: float = 1.0
    natural: ClassVar[bool] = True

    def __call__(self, decoded: Tensor, true: Tensor, mask: Tensor | None, shape: tuple[int, ...]) -> Tensor:
        return 0.5 * ((decoded - true) / self.sigma).square() + math.log(self.sigma * math.sqrt(2 * math.pi))


@dataclass(frozen=True)
class BernoulliLikelihood(Loss):
    """Values between 0 and 1 as the chance of a 1: −t log p − (1 − t) log(1 − p)."""

    natural: ClassVar[bool] = True
    output: ClassVar[str] = "probability"
    least: ClassVar[float] = 0.0
    most: ClassVar[float] = 1.0

    def __call__(self, decoded: Tensor, true: Tensor, mask: Tensor | None, shape: tuple[int, ...]) -> Tensor:
        return nn.functional.binary_cross_entropy(decoded.clamp(0, 1), true, reduction="none")


@dataclass(frozen=True)
class PoissonLikelihood(Loss):
    """Counts n about a decoded rate λ: λ − n log λ + log n!."""

    natural: ClassVar[bool] = True
    output: ClassVar[str] = "nonnegative"
    least: ClassVar[float] = 0.0

    def __call__(self, decoded: Tensor, true: Tensor, mask: Tensor | None, shape: tuple[int, ...]) -> Tensor:
        rate = decoded.clamp_min(TINY)
        return rate - true * rate.log() + torch.lgamma(true + 1)


LOSSES: dict[str, Loss] = {
    "squared": Squared(),
    "absolute": Absolute(),
    "huber": Huber(),
    "wasserstein": Wasserstein(),
    "cosine": Cosine(),
    "gaussian": GaussianLikelihood(),
    "bernoulli": BernoulliLikelihood(),
    "poisson": PoissonLikelihood(),
}


def as_loss(value: Any) -> Loss:
    """A loss, or the loss of a name; `DataError` if it is neither."""
    if isinstance(value, Loss):
        return value
    if value not in LOSSES:
        raise DataError(f"loss = {value!r}; expected a Loss or one of {', '.join(LOSSES)}")
    return LOSSES[value]


def masked_mean(cost: Tensor, mask: Tensor | None, weights: Tensor | None) -> Tensor:
    """Mean cost, shape (m, size), over all elements; unmeasured ones count 0 and rows as much as their weight, mean 1.

    The divisor is the number of all elements, so that each measured one weighs the same in every batch.
    """
    if mask is not None:
        cost = cost * mask
    if weights is not None:
        cost = cost * weights[:, None]
    return cost.mean()


def without(values: Tensor, mask: Tensor | None) -> Tensor:
    """The values with 0 where nothing was measured."""
    return values if mask is None else values * mask


def axis_of(axis: int, shape: tuple[int, ...]) -> int:
    """An axis of a sample as the axis of a batch; `DataError` if samples have no such axis."""
    if not -len(shape) <= axis < len(shape):
        raise DataError(f"axis = {axis}; samples of shape {shape} have axes {-len(shape)} to {len(shape) - 1}")
    return axis % len(shape) + 1
