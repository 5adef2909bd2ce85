"""What a reconstruction costs: functions of the decoded and the true value, element by element."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

ElementLoss = Callable[[Tensor, Tensor], Tensor]


def squared(decoded: Tensor, true: Tensor) -> Tensor:
    """(decoded − true)²."""
    return (decoded - true).square()


def absolute(decoded: Tensor, true: Tensor) -> Tensor:
    """|decoded − true|."""
    return (decoded - true).abs()


def huber(decoded: Tensor, true: Tensor) -> Tensor:
    """½(decoded − true)² up to a difference of 1, linear beyond."""
    return nn.functional.huber_loss(decoded, true, reduction="none")


LOSSES: dict[str, ElementLoss] = {"squared": squared, "absolute": absolute, "huber": huber}


def masked_mean(cost: Tensor, mask: Tensor | None, weights: Tensor | None) -> Tensor:
    """Mean cost, shape (m, size), over all elements; unmeasured ones count 0 and rows as much as their weight, mean 1.

    The divisor is the number of all elements, so that each measured one weighs the same in every batch.
    """
    if mask is not None:
        cost = cost * mask
    if weights is not None:
        cost = cost * weights[:, None]
    return cost.mean()
