"""What a network is trained on: samples by number, a batch at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Batches:
    """What a network is trained on: a number of samples, and a function that makes a batch of some of them.

    Parameters
    ----------
    size
        Number of samples.
    batch
        From sample numbers, shape (m,), to whatever the loss takes: a tensor, or tensors in a tuple, list or dict.
        It is called once a step, so it may read from disk.
    digest
        Tells these samples from others: a run is resumed only on the data it began with.
    """

    size: int
    batch: Callable[[Indices], Any]
    digest: str = ""


def names_digest(names: Iterable[str]) -> str:
    """The digest of samples that are told apart by their names."""
    return hashlib.sha256(",".join(names).encode()).hexdigest()


def batches_of(order: Indices, batch_size: int) -> Iterator[Indices]:
    """Sample numbers in the order given, a batch at a time."""
    for first in range(0, len(order), batch_size):
        yield order[first : first + batch_size]


def shuffled(size: int) -> Indices:
    """All sample numbers in random order, drawn from torch's generator."""
    order: Indices = torch.randperm(size).numpy()
    return order


def to_device(batch: Any, device: torch.device) -> Any:
    """The batch with every tensor in it on ``device``."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, Mapping):
        return {key: to_device(value, device) for key, value in batch.items()}
    if isinstance(batch, tuple | list):
        return type(batch)(to_device(value, device) for value in batch)
    return batch
