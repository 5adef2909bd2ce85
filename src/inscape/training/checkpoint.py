"""Checkpoints: all that changes while a network is trained, to a file and back, so that a run goes on bit by bit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from inscape.errors import WeightsError
from inscape.training.files import Tensors, below, replace_text, write_tensors
from inscape.training.history import Epoch, best_epoch


@dataclass
class Run:
    """All that changes while a network is trained: what a checkpoint has to hold."""

    network: nn.Module
    averaged: nn.Module
    optimizer: torch.optim.Optimizer
    settings: dict[str, Any]
    history: list[Epoch] = field(default_factory=list)
    best: Tensors = field(default_factory=dict)

    @property
    def epochs(self) -> int:
        """Number of epochs trained."""
        return self.history[-1].epoch if self.history else 0

    def record(self, epoch: Epoch) -> None:
        """Append an epoch; keep a copy of the weights if it is the best so far."""
        self.history.append(epoch)
        if best_epoch(self.history) == len(self.history) - 1:
            self.best = {name: value.detach().clone() for name, value in self.averaged.state_dict().items()}

    @torch.no_grad()
    def update_average(self, step: int) -> None:
        """Move the averaged weights, if there are any, towards the network's; buffers are copied."""
        if self.averaged is self.network:
            return
        share = 1 - min(self.settings["average"], (1 + step) / (10 + step))
        for weight, target in zip(self.averaged.parameters(), self.network.parameters(), strict=True):
            weight.lerp_(target, share)
        for buffer, source in zip(self.averaged.buffers(), self.network.buffers(), strict=True):
            buffer.copy_(source)

    def tensors(self) -> Tensors:
        """Everything as named tensors, the state of the random generators too."""
        found = {"rng": torch.get_rng_state()}
        device = next(self.network.parameters()).device
        if device.type == "cuda":
            found["rng_cuda"] = torch.cuda.get_rng_state(device)
        found |= {f"network.{name}": value for name, value in self.network.state_dict().items()}
        if self.averaged is not self.network:
            found |= {f"averaged.{name}": value for name, value in self.averaged.state_dict().items()}
        found |= {f"best.{name}": value for name, value in self.best.items()}
        for number, state in self.optimizer.state_dict()["state"].items():
            found |= {f"optimizer.{number}.{name}": value for name, value in state.items()}
        return found

    def write(self, path: str | Path) -> None:
        """Write the checkpoint, and the history as JSON lines beside it."""
        history = [asdict(epoch) for epoch in self.history]
        write_tensors(path, self.tensors(), {"kind": "checkpoint", "settings": self.settings, "history": history})
        replace_text(Path(f"{path}.jsonl"), "".join(json.dumps(line) + "\n" for line in history))

    def restore(self, tensors: Tensors, header: Mapping[str, Any], *, path: str | Path) -> None:
        """Become the run that a checkpoint holds; `WeightsError` if it is another one."""
        if header.get("kind") != "checkpoint":
            raise WeightsError(f"{path} is not a training checkpoint but {header.get('kind')}: give another file")
        other = [f"{k} {header['settings'].get(k)} there, {v} here" for k, v in self.settings.items()
                 if header["settings"].get(k) != v]  # fmt: skip
        if other:
            raise WeightsError(f"{path} is of another training run ({'; '.join(other)}): use its settings or remove it")
        try:
            self.network.load_state_dict(below("network.", tensors))
            if self.averaged is not self.network:
                self.averaged.load_state_dict(below("averaged.", tensors))
        except RuntimeError as error:
            raise WeightsError(f"{path} holds another network than the one to train: {error}") from None
        optimizer = self.optimizer.state_dict()
        for name, value in below("optimizer.", tensors).items():
            number, key = name.split(".")
            optimizer["state"].setdefault(int(number), {})[key] = value
        self.optimizer.load_state_dict(optimizer)
        self.best = below("best.", tensors)
        self.history = [Epoch(**line) for line in header["history"]]
        torch.set_rng_state(tensors["rng"])
        if "rng_cuda" in tensors:
            torch.cuda.set_rng_state(tensors["rng_cuda"])


def interrupted(epochs: int, checkpoint: str | Path | None) -> str:
    """What an interrupted user is told."""
    if checkpoint is None:
        return "training was interrupted; nothing is kept, for it ran without a checkpoint file"
    if epochs == 0:
        return "training was interrupted in its first epoch; nothing had to be kept yet"
    return f"training was interrupted; {checkpoint} holds epoch {epochs}: the same call with resume=True goes on there"
