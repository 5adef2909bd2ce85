"""Sparse codes: few elements of many are active for each sample.

References
----------
A. Ng, CS294A lecture notes, Sparse autoencoder (2011): `Activity`.
A. Makhzani and B. Frey, k-Sparse autoencoders, arXiv:1312.5663 (2013): `TopK`.
A. Makhzani and B. Frey, Winner-take-all autoencoders, arXiv:1409.2752 (2014): `Lifetime`.
L. Gao et al., Scaling and evaluating sparse autoencoders, arXiv:2406.04093 (2024): reviving dead elements.
B. Bussmann, P. Leask and N. Nanda, BatchTopK sparse autoencoders, arXiv:2412.06410 (2024): `BatchTopK`.
S. Rajamanoharan et al., Jumping ahead, arXiv:2407.14435 (2024): `JumpReLU`, its equations 11 and 12.
A. Kusupati et al., Matryoshka representation learning, arXiv:2205.13147 (2022): `Matryoshka`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from inscape.autoencoders.networks import Bottleneck
from inscape.autoencoders.penalties.base import Pass, Penalty
from inscape.errors import DataError

IDLE_SAMPLES = 5000
"""An element that was 0 for so many training samples in a row counts as dead."""


class SparseBottleneck(Bottleneck):
    """Counts for each element how many training samples ago it was last active."""

    idle: Tensor

    def __init__(self, n_components: int) -> None:
        super().__init__(n_components)
        self.register_buffer("idle", torch.zeros(n_components, dtype=torch.int64))

    def forward(self, numbers: Tensor) -> Tensor:
        return torch.relu(numbers)

    def draw(self, numbers: Tensor) -> Tensor:
        code = self.active(numbers)
        if self.training:
            with torch.no_grad():
                used = (code > 0).any(dim=0)
                self.idle.copy_(torch.where(used, 0, self.idle + len(code)))
        return code

    def active(self, numbers: Tensor) -> Tensor:
        """The code to train with."""
        code: Tensor = self(numbers)
        return code


def revival(batch: Pass) -> Tensor:
    """Error of the dead elements when they alone reconstruct what the live ones miss, relative to that.

    As many dead elements as half a sample has values take part, those that are largest (Gao et al., section A.2). One
    whose number is negative gets the gradient of a softplus, so that it too is drawn back.
    """
    bottleneck = batch.network.bottleneck
    assert isinstance(bottleneck, SparseBottleneck)
    dead = bottleneck.idle >= IDLE_SAMPLES
    if not batch.network.training or not bool(dead.any()):
        return batch.code.new_zeros(())
    missed = (batch.true - batch.decoded).detach()
    if batch.mask is not None:
        missed = missed * batch.mask
    count = min(int(dead.sum()), max(1, batch.true.shape[1] // 2))
    numbers = nn.functional.softplus(batch.numbers.masked_fill(~dead, -torch.inf), beta=10.0)
    values, places = numbers.topk(count, dim=1)
    code = torch.zeros_like(batch.code).scatter(1, places, values)
    found = batch.network.decode(code) - batch.network.decode(torch.zeros_like(code[:1]))
    if batch.mask is not None:
        found = found * batch.mask
    return (found - missed).square().mean() / missed.square().mean().clamp_min(1e-12)


@dataclass(frozen=True)
class L1(Penalty):
    """``weight`` · Σ|h| over the elements of a code, which are never negative (ReLU), so that they can be 0.

    Longer atoms would make any code cheap: join it with `UnitNorm`.
    """

    weight: float = 0.01
    shapes: ClassVar[bool] = True
    sparse: ClassVar[bool] = True
    from_pca: ClassVar[bool] = False

    def bottleneck(self, n_components: int) -> Bottleneck:
        return SparseBottleneck(n_components)

    def cost(self, batch: Pass) -> Tensor:
        return self.weight * batch.per_value(batch.code.abs().sum(dim=1))


class Sigmoid(Bottleneck):
    """Elements between 0 and 1."""

    def forward(self, numbers: Tensor) -> Tensor:
        return torch.sigmoid(numbers)


@dataclass(frozen=True)
class Activity(Penalty):
    """``weight`` · Σ KL(target ‖ mean activity) over elements, which lie between 0 and 1 (logistic function).

    The mean is that of the batch; the divergence is that of two Bernoulli distributions.
    """

    weight: float = 1.0
    target: float = 0.05
    shapes: ClassVar[bool] = True
    from_pca: ClassVar[bool] = False

    def bottleneck(self, n_components: int) -> Bottleneck:
        return Sigmoid(n_components)

    def cost(self, batch: Pass) -> Tensor:
        code = batch.code if batch.weights is None else batch.code * batch.weights[:, None]
        mean = code.mean(dim=0).clamp(1e-6, 1 - 1e-6)
        t = self.target
        divergence = t * (math.log(t) - mean.log()) + (1 - t) * (math.log(1 - t) - (1 - mean).log())
        return self.weight * divergence.sum() / batch.true.shape[1]


def check_k(k: int, n_components: int) -> int:
    """The number of active elements; `DataError` if a code has not as many."""
    if not 1 <= k <= n_components:
        raise DataError(f"k = {k} active elements of {n_components}: expected 1 to {n_components}")
    return k


class TopKBottleneck(SparseBottleneck):
    """The k largest numbers of a sample, if positive; the others are 0."""

    elementwise = False

    def __init__(self, n_components: int, k: int) -> None:
        super().__init__(n_components)
        self.k = check_k(k, n_components)

    def forward(self, numbers: Tensor) -> Tensor:
        values, places = numbers.topk(self.k, dim=1)
        return torch.zeros_like(numbers).scatter(1, places, torch.relu(values))


@dataclass(frozen=True)
class TopK(Penalty):
    """At most ``k`` elements of each code are active, and those are positive.

    Dead elements are revived by an auxiliary loss, ``revive`` its weight: they reconstruct what the others miss. The
    share of samples for which each element is active is the estimator's ``activity_``.
    """

    k: int
    revive: float = 1 / 32
    shapes: ClassVar[bool] = True
    sparse: ClassVar[bool] = True
    from_pca: ClassVar[bool] = False

    def bottleneck(self, n_components: int) -> Bottleneck:
        return TopKBottleneck(n_components, self.k)

    def cost(self, batch: Pass) -> Tensor:
        return self.revive * revival(batch) if self.revive else batch.code.new_zeros(())


class ThresholdBottleneck(SparseBottleneck):
    """In training the largest numbers of a batch; afterwards those above the mean threshold of these."""

    elementwise = False
    threshold: Tensor
    batches: Tensor

    def __init__(self, n_components: int, thresholds: tuple[int, ...] = ()) -> None:
        super().__init__(n_components)
        self.register_buffer("threshold", torch.zeros(thresholds))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def forward(self, numbers: Tensor) -> Tensor:
        return torch.relu(numbers) * (numbers > self.threshold)

    def active(self, numbers: Tensor) -> Tensor:
        if not self.training:
            code: Tensor = self(numbers)
            return code
        positive = torch.relu(numbers)
        least = self.least(positive)
        with torch.no_grad():  # a running mean that forgets: the numbers change while the network learns
            self.batches.add_(1)
            share = max(0.01, 1 / int(self.batches))
            self.threshold.lerp_(least.to(self.threshold.dtype), share)
        return positive * (positive >= least)

    def least(self, positive: Tensor) -> Tensor:
        """The smallest of the largest numbers of a batch, shape of the threshold."""
        raise NotImplementedError


class BatchTopKBottleneck(ThresholdBottleneck):
    """The m·k largest numbers of a batch of m samples."""

    def __init__(self, n_components: int, k: int) -> None:
        super().__init__(n_components)
        self.k = check_k(k, n_components)

    def least(self, positive: Tensor) -> Tensor:
        return positive.flatten().topk(self.k * len(positive)).values[-1]


@dataclass(frozen=True)
class BatchTopK(TopK):
    """``k`` active elements in the mean over a batch: a rich sample may use more than a poor one."""

    def bottleneck(self, n_components: int) -> Bottleneck:
        return BatchTopKBottleneck(n_components, self.k)


class LifetimeBottleneck(ThresholdBottleneck):
    """Of each element the numbers of the samples of a batch, a share of them, for which it is largest."""

    def __init__(self, n_components: int, share: float) -> None:
        super().__init__(n_components, (n_components,))
        if not 0 < share <= 1:
            raise DataError(f"share = {share} of the samples for which an element is active: expected more than 0 to 1")
        self.share = share

    def least(self, positive: Tensor) -> Tensor:
        return positive.topk(max(1, round(self.share * len(positive))), dim=0).values[-1]


@dataclass(frozen=True)
class Lifetime(Penalty):
    """Each element is active for this ``share`` of the samples of a batch, so that all are used alike.

    A code of K elements has share · K active ones in the mean. Elements that are negative for all samples are revived
    as in `TopK`.
    """

    share: float = 0.05
    revive: float = 1 / 32
    shapes: ClassVar[bool] = True
    sparse: ClassVar[bool] = True
    from_pca: ClassVar[bool] = False

    def bottleneck(self, n_components: int) -> Bottleneck:
        return LifetimeBottleneck(n_components, self.share)

    def cost(self, batch: Pass) -> Tensor:
        return self.revive * revival(batch) if self.revive else batch.code.new_zeros(())


class _Jump(torch.autograd.Function):
    """z·H(z − θ), with the pseudo-derivative −(θ/ε)·K((z − θ)/ε) for θ; K is 1 between −½ and ½."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, theta: Tensor, width: float) -> Tensor:
        ctx.save_for_backward(z, theta)
        ctx.width = width
        return z * (z > theta)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        z, theta = ctx.saved_tensors
        near = ((z - theta).abs() < ctx.width / 2).to(grad.dtype)
        return grad * (z > theta), -(grad * near * theta / ctx.width).sum(dim=0), None


class _Step(torch.autograd.Function):
    """H(z − θ), with the pseudo-derivative −(1/ε)·K((z − θ)/ε) for θ and none for z."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, theta: Tensor, width: float) -> Tensor:
        ctx.save_for_backward(z, theta)
        ctx.width = width
        return (z > theta).to(z.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, None]:
        z, theta = ctx.saved_tensors
        near = ((z - theta).abs() < ctx.width / 2).to(grad.dtype)
        return None, -(grad * near / ctx.width).sum(dim=0), None


class JumpReLUBottleneck(SparseBottleneck):
    """z where it exceeds a threshold of its own, which is learnt; otherwise 0."""

    def __init__(self, n_components: int, threshold: float, width: float) -> None:
        super().__init__(n_components)
        self.log_threshold = nn.Parameter(torch.full((n_components,), math.log(threshold)))
        self.width = width

    def forward(self, numbers: Tensor) -> Tensor:
        code: Tensor = _Jump.apply(numbers, self.log_threshold.exp(), self.width)  # type: ignore[no-untyped-call]
        return code

    def count(self, numbers: Tensor) -> Tensor:
        """Active elements of each sample, shape (m,), with a gradient for the thresholds."""
        steps: Tensor = _Step.apply(numbers, self.log_threshold.exp(), self.width)  # type: ignore[no-untyped-call]
        return steps.sum(dim=1)


@dataclass(frozen=True)
class JumpReLU(Penalty):
    """``weight`` for each active element; an element is active where it exceeds its own, learnt threshold.

    Thresholds begin at ``threshold``; numbers within ``width`` of them decide how they move. ``revive`` as in `TopK`.
    """

    weight: float = 0.01
    threshold: float = 0.1
    width: float = 0.1
    revive: float = 1 / 32
    shapes: ClassVar[bool] = True
    sparse: ClassVar[bool] = True
    from_pca: ClassVar[bool] = False

    def bottleneck(self, n_components: int) -> Bottleneck:
        return JumpReLUBottleneck(n_components, self.threshold, self.width)

    def cost(self, batch: Pass) -> Tensor:
        bottleneck = batch.network.bottleneck
        assert isinstance(bottleneck, JumpReLUBottleneck)
        count = batch.per_value(bottleneck.count(batch.numbers))
        return self.weight * count + (self.revive * revival(batch) if self.revive else 0.0)


@dataclass(frozen=True)
class Matryoshka(Penalty):
    """The first elements of a code, in each of these numbers, reconstruct as well as they can without the rest.

    ``weight`` times the mean error over ``sizes`` is added to that of the whole code. The first elements then hold
    what matters most, as principal components do.
    """

    sizes: Sequence[int]
    weight: float = 1.0

    def cost(self, batch: Pass) -> Tensor:
        k = batch.code.shape[1]
        if not all(1 <= size <= k for size in self.sizes):
            raise DataError(f"sizes = {tuple(self.sizes)} of a code of {k} elements: expected 1 to {k}")
        total = batch.code.new_zeros(())
        for size in self.sizes:
            first = nn.functional.pad(batch.code[:, :size], (0, k - size))
            total = total + batch.error(batch.network.decode(first))
        return self.weight * total / len(self.sizes)
