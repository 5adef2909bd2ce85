"""How decoded numbers become data: as they are, never negative, between 0 and 1, or of a fixed area.

Each takes what a decoder gives, standardised: where that is 0, the mean of the training data comes out.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from inscape.autoencoders.losses import TINY

Output = Callable[[Tensor, Tensor, Tensor], Tensor]


def linear(s: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """mean + s·scale."""
    return s * scale + mean


def nonnegative(s: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """c·softplus(s·scale/c + offset), with c the mean scale: linear far above zero, never below it."""
    c = scale.mean()
    start = (mean / c).clamp_min(1e-3)
    offset = start + torch.log(-torch.expm1(-start))  # softplus(offset) = start
    return c * nn.functional.softplus(s * (scale / c) + offset)


def probability(s: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """The logistic function of s + offset."""
    return torch.sigmoid(s + torch.logit(mean.clamp(1e-3, 1 - 1e-3)))


def area(s: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """A share of the training samples' common sum for each element: not negative, and adding up to that sum."""
    return mean.sum() * torch.softmax(s + mean.clamp_min(TINY).log(), dim=-1)


OUTPUTS: dict[str, Output] = {
    "linear": linear,
    "nonnegative": nonnegative,
    "probability": probability,
    "area": area,
}
