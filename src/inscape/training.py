"""The one training loop, its checkpoints, and the files that hold trained weights.

`fit_network` trains any torch module on any loss: an autoencoder on rows of a table, a structure model on ragged atoms.
Files are safetensors with a JSON header, never pickle; each carries the digest of its own tensors.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from inscape.errors import DataError, WeightsError

Indices = NDArray[np.int64]
Tensors = dict[str, Tensor]
Loss = Callable[[nn.Module, Any], Tensor]

WEIGHTS = Path(str(files("inscape") / "weights"))
"""Folder of the weights that ship with the package."""

# ---------------------------------------------------------------------------------------------------------- the loop


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


@dataclass(frozen=True)
class Epoch:
    """One line of a training history; losses are means over samples. Epoch 0 is the network as it came, only judged."""

    epoch: int
    training: float | None
    validation: float | None
    learning_rate: float
    seconds: float


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
        Passes over the data, and samples in a step.
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
    KeyboardInterrupt
        Interrupted; its message says which epoch the checkpoint holds.
    """
    settings = {
        "samples": data.size, "data": data.digest, "epochs": epochs, "batch_size": batch_size,
        "learning_rate": learning_rate, "warm_up": warm_up, "weight_decay": weight_decay, "clip": clip,
        "average": average, "patience": patience, "random_state": random_state,
        "validation": validation.size if validation else 0,
    }  # fmt: skip
    _check(settings)
    run = Run(network, copy.deepcopy(network) if average else network, adamw(network, weight_decay), settings)
    device = next(network.parameters()).device
    cuda = [device] if device.type == "cuda" else []
    steps_per_epoch = math.ceil(data.size / batch_size)
    start = time.monotonic()

    with torch.random.fork_rng(devices=cuda), tqdm(total=epochs, unit="epoch", disable=not progress) as bar:
        torch.manual_seed(random_state)
        if checkpoint is not None and resume and Path(checkpoint).exists():
            run.restore(*read_tensors(checkpoint), path=checkpoint)
        if validation is not None and not run.history:
            run.record(Epoch(0, None, evaluate(run.averaged, loss, validation, batch_size, random_state), 0.0, 0.0))
        bar.update(run.epochs)
        try:
            while run.epochs < epochs and not out_of_patience(run.history, patience):
                began, step = time.monotonic(), run.epochs * steps_per_epoch
                network.train()
                total = torch.zeros((), dtype=torch.float64, device=device)
                for indices in shuffled(data.size, batch_size):
                    rate = learning_rate * schedule(step, epochs * steps_per_epoch, warm_up)
                    for group in run.optimizer.param_groups:
                        group["lr"] = rate
                    value = loss(network, to_device(data.batch(indices), device))
                    run.optimizer.zero_grad(set_to_none=True)
                    value.backward()  # type: ignore[no-untyped-call]
                    if clip is not None:
                        nn.utils.clip_grad_norm_(network.parameters(), clip)
                    run.optimizer.step()
                    run.update_average(step)
                    total += value.detach() * len(indices)
                    step += 1

                epoch = Epoch(
                    epoch=run.epochs + 1,
                    training=_finite(float(total) / data.size, "training"),
                    validation=evaluate(run.averaged, loss, validation, batch_size, random_state),
                    learning_rate=rate,
                    seconds=time.monotonic() - began,
                )
                run.record(epoch)
                if checkpoint is not None:
                    run.write(checkpoint)
                bar.update()
                bar.set_postfix({"training": epoch.training, "validation": epoch.validation})
                if max_minutes is not None and time.monotonic() - start > 60 * max_minutes:
                    break
        except KeyboardInterrupt:
            raise KeyboardInterrupt(interrupted(run.epochs, checkpoint)) from None
    network.load_state_dict(run.best or run.averaged.state_dict())
    network.eval()
    return run.history


def adamw(network: nn.Module, weight_decay: float) -> torch.optim.AdamW:
    """AdamW that decays matrices and kernels only."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], fused=True)


def schedule(step: int, steps: int, warm_up: float) -> float:
    """Share of the peak learning rate: linear rise over the share ``warm_up`` of all steps, then half a cosine."""
    rise = max(1, round(warm_up * steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def shuffled(size: int, batch_size: int) -> Iterator[Indices]:
    """All sample numbers in random order, a batch at a time, drawn from torch's generator."""
    order: Indices = torch.randperm(size).numpy()
    for first in range(0, size, batch_size):
        yield order[first : first + batch_size]


def to_device(batch: Any, device: torch.device) -> Any:
    """The batch with every tensor in it on ``device``."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, Mapping):
        return {key: to_device(value, device) for key, value in batch.items()}
    if isinstance(batch, tuple | list):
        return type(batch)(to_device(value, device) for value in batch)
    return batch


def evaluate(network: nn.Module, loss: Loss, data: Batches | None, batch_size: int, seed: int) -> float | None:
    """Mean loss over the samples of ``data``, in evaluation mode and with random numbers of its own."""
    if data is None:
        return None
    network.eval()
    device = next(network.parameters()).device
    total = torch.zeros((), dtype=torch.float64, device=device)
    with torch.no_grad(), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        for first in range(0, data.size, batch_size):
            indices = np.arange(first, min(first + batch_size, data.size))
            total += loss(network, to_device(data.batch(indices), device)) * len(indices)
    return _finite(float(total) / data.size, "validation")


def best_epoch(history: list[Epoch]) -> int:
    """Position in the history of the lowest validation loss; -1, the last, where none was measured."""
    losses = [epoch.validation for epoch in history if epoch.validation is not None]
    return losses.index(min(losses)) if losses else -1


def out_of_patience(history: list[Epoch], patience: int | None) -> bool:
    """Whether the last ``patience`` epochs brought no better validation loss."""
    best = best_epoch(history)
    return patience is not None and best >= 0 and len(history) - 1 - best >= patience


def interrupted(epochs: int, checkpoint: str | Path | None) -> str:
    """What an interrupted user is told."""
    if checkpoint is None:
        return "training was interrupted; nothing is kept, for it ran without a checkpoint file"
    if epochs == 0:
        return "training was interrupted in its first epoch; nothing had to be kept yet"
    return f"training was interrupted; {checkpoint} holds epoch {epochs}: the same call with resume=True goes on there"


def _check(settings: Mapping[str, Any]) -> None:
    for name in ("samples", "epochs", "batch_size"):
        if settings[name] < 1:
            raise DataError(f"training got {name} = {settings[name]}; at least 1 is needed")
    if settings["patience"] is not None and not settings["validation"]:
        raise DataError("training got a patience but no validation data to judge by: give both or neither")


def _finite(value: float, name: str) -> float:
    if not math.isfinite(value):
        raise DataError(f"the {name} loss became {value}: lower the learning rate or scale the data")
    return value


# -------------------------------------------------------------------------------------------------------- checkpoints


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


def below(prefix: str, tensors: Tensors) -> Tensors:
    """The tensors whose names start with ``prefix``, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def replace_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text)
    os.replace(part, path)


# ------------------------------------------------------------------------------------------------------ trained weights


@dataclass(frozen=True)
class Header:
    """What a weights file says about itself.

    Parameters
    ----------
    class_name, parameters
        The class that wrote it and the arguments of its constructor.
    grids
        Axes of the data it was fitted on: name -> {"values": [...], "unit": "meV"}.
    data_digest, ids, seed
        SHA-256 of the training data, identifiers of the samples trained on, seed of the training.
    extra
        Anything else that JSON can hold.
    version
        Version of this package that wrote the file.
    digest
        SHA-256 of the tensors; filled in when the file is written.
    """

    class_name: str
    parameters: dict[str, Any] = field(default_factory=dict)
    grids: dict[str, dict[str, Any]] = field(default_factory=dict)
    data_digest: str = ""
    ids: list[str] = field(default_factory=list)
    seed: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    version: str = ""
    digest: str = ""


def save_weights(
    path: str | Path, tensors: Mapping[str, Tensor], header: Header, *, dtype: torch.dtype | None = None
) -> str:
    """Write trained weights and what they are, whole or not at all.

    Parameters
    ----------
    path
        File to write; a missing folder is made.
    tensors
        Named tensors, a ``state_dict`` for instance.
    dtype
        Store floating-point matrices and kernels in this type, ``torch.float16`` to halve the file; not vectors.

    Returns
    -------
    str
        Digest of the tensors, the one that the header will hold.
    """
    if dtype is not None:
        tensors = {name: narrowed(name, value, dtype) for name, value in tensors.items()}
    fields = {k: v for k, v in asdict(header).items() if k != "digest"} | {"version": header.version or _version()}
    return write_tensors(path, tensors, {"kind": "weights", **fields})


def narrowed(name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    """A floating-point matrix or kernel in another type, anything else as it is; `WeightsError` if it overflows."""
    if not value.is_floating_point() or value.dim() < 2:
        return value
    found = value.to(dtype)
    if not bool(torch.isfinite(found).all()):
        raise WeightsError(
            f"weights {name} reach {float(value.abs().max()):.3g}, too large for {dtype}: save them as they are"
        )
    return found


def load_weights(path: str | Path, *, class_name: str | None = None) -> tuple[Tensors, Header]:
    """Read what `save_weights` wrote.

    Parameters
    ----------
    class_name
        Class that the file has to belong to.

    Raises
    ------
    WeightsError
        The file is missing, damaged, not one of this package's, or of another class.
    """
    tensors, header = read_tensors(path)
    if header.get("kind") != "weights":
        raise WeightsError(f"{path} is a {header.get('kind')}, not a file of trained weights")
    try:
        found = Header(**{name: value for name, value in header.items() if name != "kind"})
    except TypeError as error:
        raise WeightsError(
            f"{path} was written by another version of inscape ({header.get('version')}): {error}"
        ) from None
    if class_name is not None and found.class_name != class_name:
        raise WeightsError(f"{path} holds a {found.class_name}, not a {class_name}: load it with that class")
    return tensors, found


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> str:
    """One safetensors file, whole or not at all, its header one JSON text a field; returns the tensors' digest."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    digest = tensor_digest(plain)
    fields = {"format": "inscape-1", **header, "digest": digest}
    part = path.with_name(f"{path.name}.part")
    save_file(plain, part, metadata={name: json.dumps(value) for name, value in fields.items()})
    os.replace(part, path)
    return digest


def read_tensors(path: str | Path) -> tuple[Tensors, dict[str, Any]]:
    """Tensors and header of a file by `write_tensors`; `WeightsError` if it is missing, damaged or foreign."""
    if not Path(path).is_file():
        raise WeightsError(f"no weights file at {path}: check the path")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        header = {name: json.loads(text) for name, text in metadata.items()} if "digest" in metadata else {}
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path} is not a safetensors file of inscape, or is cut short ({error})") from None
    if header.pop("format", None) != "inscape-1":
        raise WeightsError(
            f"{path} is a safetensors file, but inscape did not write it: its header is missing or unknown"
        )
    if tensor_digest(tensors) != header["digest"]:
        raise WeightsError(f"{path} is damaged: its tensors do not have the digest in its header; fetch it again")
    return tensors, header


def tensor_digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of names, types, shapes and bytes, whatever the order."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)};".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _version() -> str:
    try:
        return version("inscape")
    except PackageNotFoundError:
        return "unknown"
