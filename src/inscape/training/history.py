"""The history of a training: one line an epoch, which of them was best, and when to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inscape.errors import MissingPackageError


@dataclass(frozen=True)
class Epoch:
    """One line of a training history; losses are means over samples. Epoch 0 is the network as it came, only judged."""

    epoch: int
    training: float | None
    validation: float | None
    learning_rate: float
    seconds: float


def best_epoch(history: list[Epoch]) -> int:
    """Position in the history of the lowest validation loss; -1, the last, where none was measured."""
    losses = [epoch.validation for epoch in history if epoch.validation is not None]
    return losses.index(min(losses)) if losses else -1


def out_of_patience(history: list[Epoch], patience: int | None) -> bool:
    """Whether the last ``patience`` epochs brought no better validation loss."""
    best = best_epoch(history)
    return patience is not None and best >= 0 and len(history) - 1 - best >= patience


def tensorboard(folder: str | Path) -> Callable[[Epoch], None]:
    """A function for ``report=`` that shows each epoch in TensorBoard: ``tensorboard --logdir folder``.

    Raises
    ------
    MissingPackageError
        TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise MissingPackageError("TensorBoard is not installed: pip install 'inscape[tensorboard]'") from None
    writer: Any = SummaryWriter(str(folder))

    def report(epoch: Epoch) -> None:
        for name in ("training", "validation", "learning_rate", "seconds"):
            value = getattr(epoch, name)
            if value is not None:
                writer.add_scalar(name, value, epoch.epoch)
        writer.flush()

    return report
