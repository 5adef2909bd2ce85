"""The one training loop: any torch module on any loss, an autoencoder on rows of a table or a network on ragged atoms.

It reads from top to bottom; what surrounds it lies beside: `batches` (the data), `optimisation` (how weights move),
`devices` (one or many), `checkpoint` (stop and go on), `history`.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from inscape.errors import DataError
from inscape.training.batches import Batches, batches_of, shuffled, to_device
from inscape.training.checkpoint import Run, interrupted
from inscape.training.devices import devices_of
from inscape.training.files import read_tensors
from inscape.training.history import Epoch, out_of_patience
from inscape.training.memory import keep_freed_memory
from inscape.training.optimisation import adamw, clip_gradients, forget_gradients, schedule, set_rate, trained

Loss = Callable[[nn.Module, Any], Tensor]

PRECISIONS = ("float32", "bfloat16")


def fit_network(
    network: nn.Module,
    loss: Loss,
    data: Batches,
    *,
    validation: Batches | None = None,
    epochs: int = 100,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    warm_up: float = 0.05,
    weight_decay: float = 0.0,
    clip: float | None = 1.0,
    average: float = 0.0,
    patience: int | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: bool = False,
    random_state: int = 0,
    max_minutes: float | None = None,
    precision: str = "float32",
    devices: int = 1,
    num_nodes: int = 1,
    strategy: str = "auto",
    on_step: Callable[[float], None] | None = None,
    report: Callable[[Epoch], None] | None = None,
) -> list[Epoch]:
    """Train a network in place with AdamW; the user's random numbers are left as they were.

    Parameters
    ----------
    network
        The module to train, on the device where it is to be trained.
    loss
        ``loss(network, batch)``, a scalar tensor: the mean over the batch. Random numbers it draws on validation data
        are the same in every epoch.
    data, validation
        What to train on, and what to judge by. With validation data the weights of the best epoch are kept, those it
        came with among them, so that training cannot make it worse; without, the last ones.
    epochs, batch_size
        Passes over the data, and samples in a step (of all devices together).
    learning_rate, warm_up
        Peak rate; it rises linearly over the share ``warm_up`` of all steps and falls to zero along a cosine.
    weight_decay
        Decoupled decay of matrices and kernels; biases and other vectors are left alone.
    clip
        Largest norm of the gradient.
    average
        Decay per step of an exponential moving average of the weights, 0.999 say; the average is what is judged and
        kept. 0: none.
    patience
        Epochs without a better validation loss after which training stops.
    checkpoint, resume
        File written after every epoch (and ``<checkpoint>.jsonl`` with the history beside it). With ``resume`` a run
        that finds it goes on there, bit by bit as if it had never stopped; without, it starts anew.
    progress
        Show a bar.
    random_state
        Seed of everything random: the same seed gives the same bits on one machine, thread count and torch version.
    max_minutes
        Stop after the epoch in which this time is up; the checkpoint can be resumed.
    precision
        "float32" computes in the type of the weights; "bfloat16" multiplies matrices in that shorter type and keeps
        weights, sums and losses in theirs.
    devices, num_nodes, strategy
        Processes a node, nodes, and how they share the work, as Lightning Fabric names it ("ddp"); needs the extra
        ``fabric`` where there is more than one. The result is that of one device but for rounding, unless the loss
        is more than a mean over samples or draws random numbers.
    on_step
        Called before each step with the share of the training that is done, 0 to 1.
    report
        Called with each epoch when it is over; `tensorboard` makes such a function.

    Returns
    -------
    list[Epoch]
        One entry an epoch, those before a resume included, and first one of epoch 0 where there are validation data.

    Raises
    ------
    DataError
        The loss is no longer a finite number, or there is nothing to train on.
    WeightsError
        The checkpoint to resume is damaged, or belongs to other settings or another network.
    MissingPackageError
        More than one device, and Lightning Fabric is not installed.
    KeyboardInterrupt
        Interrupted; its message says which epoch the checkpoint holds.
    """
    settings = {
        "samples": data.size, "data": data.digest, "epochs": epochs, "batch_size": batch_size,
        "learning_rate": learning_rate, "warm_up": warm_up, "weight_decay": weight_decay, "clip": clip,
        "average": average, "patience": patience, "random_state": random_state,
        "validation": validation.size if validation else 0, "precision": precision,
    }  # fmt: skip
    _check(settings)
    keep_freed_memory()
    workers = devices_of(network, devices, num_nodes, strategy)
    run = Run(network, copy.deepcopy(network) if average else network, adamw(network, weight_decay), settings)
    objective, optimizer = workers.prepare(Objective(network, loss, precision), run.optimizer)
    judge = Objective(run.averaged, loss, precision)
    parameters, device = trained(network), next(network.parameters()).device
    steps = epochs * math.ceil(data.size / batch_size)
    start = time.monotonic()

    with torch.random.fork_rng(devices=_cuda(device)), tqdm(total=epochs, unit="epoch", disable=not progress) as bar:
        torch.manual_seed(random_state + workers.rank)
        if checkpoint is not None and resume and Path(checkpoint).exists():
            run.restore(*read_tensors(checkpoint), path=checkpoint)
        if validation is not None and not run.history:
            run.record(Epoch(0, None, evaluate(judge, validation, batch_size, random_state), 0.0, 0.0))
        bar.update(run.epochs)
        try:
            while run.epochs < epochs and not out_of_patience(run.history, patience):
                began, step = time.monotonic(), run.epochs * steps // epochs
                network.train()
                total = torch.zeros((), dtype=torch.float64, device=device)
                for indices in batches_of(workers.order(shuffled(data.size)), batch_size):
                    set_rate(optimizer, rate := learning_rate * schedule(step, steps, warm_up))
                    if on_step is not None:
                        on_step(step / steps)
                    mine, weight = workers.part(indices)
                    value = objective(to_device(data.batch(mine), device))
                    value = value if weight == 1.0 else weight * value
                    forget_gradients(parameters)
                    workers.backward(value)
                    if clip is not None:
                        clip_gradients(parameters, clip)
                    optimizer.step()
                    run.update_average(step)
                    total += value.detach() * len(indices)
                    step += 1

                epoch = Epoch(
                    epoch=run.epochs + 1,
                    training=_finite(workers.sum(float(total)) / workers.size / data.size, "training"),
                    validation=evaluate(judge, validation, batch_size, random_state),
                    learning_rate=rate,
                    seconds=time.monotonic() - began,
                )
                run.record(epoch)
                if workers.rank == 0:
                    leave_word(run, checkpoint, report)
                bar.update()
                bar.set_postfix({"training": epoch.training, "validation": epoch.validation})
                if max_minutes is not None and workers.sum(time.monotonic() - start) / workers.size > 60 * max_minutes:
                    break
        except KeyboardInterrupt:
            raise KeyboardInterrupt(interrupted(run.epochs, checkpoint)) from None
    network.load_state_dict(run.best or run.averaged.state_dict())
    network.eval()
    return run.history


class Objective(nn.Module):
    """Network and loss as one module, from a batch to its loss: what devices share out, in the precision asked for."""

    def __init__(self, network: nn.Module, loss: Loss, precision: str) -> None:
        super().__init__()
        self.network = network
        self.loss = loss
        self.mixed = precision == "bfloat16"

    def forward(self, batch: Any) -> Tensor:
        """Loss of a batch."""
        if not self.mixed:
            return self.loss(self.network, batch)
        with torch.autocast(next(self.network.parameters()).device.type, dtype=torch.bfloat16):
            return self.loss(self.network, batch)


def leave_word(run: Run, checkpoint: str | Path | None, report: Callable[[Epoch], None] | None) -> None:
    """Write the checkpoint and report the last epoch, where that is wanted."""
    if checkpoint is not None:
        run.write(checkpoint)
    if report is not None:
        report(run.history[-1])


def evaluate(objective: Objective, data: Batches | None, batch_size: int, seed: int) -> float | None:
    """Mean loss over the samples of ``data``, in evaluation mode and with random numbers of its own."""
    if data is None:
        return None
    objective.network.eval()
    device = next(objective.network.parameters()).device
    total = torch.zeros((), dtype=torch.float64, device=device)
    with torch.no_grad(), torch.random.fork_rng(devices=_cuda(device)):
        torch.manual_seed(seed)
        for indices in batches_of(np.arange(data.size), batch_size):
            total += objective(to_device(data.batch(indices), device)) * len(indices)
    return _finite(float(total) / data.size, "validation")


def _cuda(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []


def _check(settings: Mapping[str, Any]) -> None:
    for name in ("samples", "epochs", "batch_size"):
        if settings[name] < 1:
            raise DataError(f"training got {name} = {settings[name]}; at least 1 is needed")
    if settings["patience"] is not None and not settings["validation"]:
        raise DataError("training got a patience but no validation data to judge by: give both or neither")
    if settings["precision"] not in PRECISIONS:
        raise DataError(f"training got precision = {settings['precision']!r}; expected one of {', '.join(PRECISIONS)}")


def _finite(value: float, name: str) -> float:
    if not math.isfinite(value):
        raise DataError(f"the {name} loss became {value}: lower the learning rate or scale the data")
    return value
