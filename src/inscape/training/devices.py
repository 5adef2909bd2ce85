"""Where a network is trained: on one device, or on many through Lightning Fabric, which is optional."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from inscape.errors import MissingPackageError
from inscape.training.batches import Indices


class OneDevice:
    """The device on which the network lies; every sample of a batch is worked on here."""

    rank = 0
    size = 1

    def prepare(self, objective: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[nn.Module, Any]:
        """What to call and what to step in place of the two."""
        return objective, optimizer

    def order(self, order: Indices) -> Indices:
        """The order of samples that all processes keep to."""
        return order

    def part(self, indices: Indices) -> tuple[Indices, float]:
        """The samples of a batch to work on here, and what their mean loss counts in the mean over processes."""
        return indices, 1.0

    def backward(self, value: Tensor) -> None:
        """Gradients of a loss; over many processes, their mean."""
        value.backward()  # type: ignore[no-untyped-call]

    def sum(self, value: float) -> float:
        """The sum over processes."""
        return value


class ManyDevices(OneDevice):
    """Processes on several devices or nodes, each with a whole copy of the network (``ddp`` and its variants).

    A step sees the same batch as on one device: it is dealt out, and gradients are averaged with the number of samples
    as weight. Random numbers drawn inside a loss differ from process to process.
    """

    def __init__(self, accelerator: str, devices: int, num_nodes: int, strategy: str) -> None:
        try:
            from lightning_fabric import Fabric
        except ImportError:
            raise MissingPackageError(
                "training on more than one device needs Lightning Fabric: pip install 'inscape[fabric]'"
            ) from None
        self.fabric: Any = Fabric(accelerator=accelerator, devices=devices, num_nodes=num_nodes, strategy=strategy)
        self.fabric.launch()
        self.rank, self.size = self.fabric.global_rank, self.fabric.world_size

    def prepare(self, objective: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[nn.Module, Any]:
        return self.fabric.setup(objective, optimizer)  # type: ignore[no-any-return]

    def order(self, order: Indices) -> Indices:
        return np.asarray(self.fabric.broadcast(order))

    def part(self, indices: Indices) -> tuple[Indices, float]:
        mine = indices[self.rank :: self.size]
        weight = self.size * len(mine) / len(indices)
        return (mine, weight) if len(mine) else (indices[:1], 0.0)

    def backward(self, value: Tensor) -> None:
        self.fabric.backward(value)

    def sum(self, value: float) -> float:
        total = self.fabric.all_reduce(torch.tensor(value, dtype=torch.float64), reduce_op="sum")
        return float(total)


def devices_of(network: nn.Module, devices: int, num_nodes: int, strategy: str) -> OneDevice:
    """One device unless more are asked for; their kind is that of the network's device."""
    if devices == 1 and num_nodes == 1:
        return OneDevice()
    return ManyDevices(next(network.parameters()).device.type, devices, num_nodes, strategy)
