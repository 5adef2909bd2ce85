"""How weights move: the optimiser and the course of its learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import nn
from torch.optim.adamw import adamw as fused_step


class AdamW(torch.optim.AdamW):
    """torch's AdamW in one pass over all weights, without what torch checks anew at each step.

    In a small network that bookkeeping takes half as long as the step itself.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move the weights that have a gradient; the first step, which makes the averages, is torch's."""
        moved = [[p for p in group["params"] if p.grad is not None] for group in self.param_groups]
        if closure is not None or any(not self.state[p] for group in moved for p in group):
            found: float | None = super().step(closure)
            return found
        for weights, group in zip(moved, self.param_groups, strict=True):
            states = [self.state[p] for p in weights]
            fused_step(
                weights,
                [p.grad for p in weights if p.grad is not None],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                [state["step"] for state in states],
                fused=True,
                amsgrad=False,
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                maximize=False,
            )
        return None


def adamw(network: nn.Module, weight_decay: float) -> AdamW:
    """AdamW that decays matrices and kernels only."""
    parameters = trained(network)
    if not weight_decay:
        return AdamW(parameters, weight_decay=0.0, fused=True)
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    return AdamW([g for g in groups if g["params"]], fused=True)


def trained(network: nn.Module) -> list[nn.Parameter]:
    """The weights that move."""
    return [p for p in network.parameters() if p.requires_grad]


def schedule(step: int, steps: int, warm_up: float) -> float:
    """Share of the peak learning rate: linear rise over the share ``warm_up`` of all steps, then half a cosine."""
    rise = max(1, round(warm_up * steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give all parameters this learning rate from now on."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def forget_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Free all gradients."""
    for parameter in parameters:
        parameter.grad = None


def clip_gradients(parameters: Iterable[nn.Parameter], largest: float) -> None:
    """Scale all gradients down so that their common norm is at most ``largest``; nothing is touched if it is."""
    moved = [p for p in parameters if p.grad is not None]
    norm = nn.utils.get_total_norm([p.grad for p in moved if p.grad is not None])
    if norm > largest:
        nn.utils.clip_grads_with_norm_(moved, largest, norm)
