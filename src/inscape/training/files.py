"""Files that hold trained weights: safetensors with a JSON header, never pickle; each carries its tensors' digest."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from inscape.errors import WeightsError

Tensors = dict[str, Tensor]

WEIGHTS = Path(str(files("inscape") / "weights"))
"""Folder of the weights that ship with the package."""


LOSS = 0.015
"""Share of a tensor's norm that may be lost when it is written in steps."""

STEP = " step"
"""Ends the name of the steps in which a tensor of whole numbers is stored."""


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
        ``torch.int8`` quarters it: each row is a scale times whole numbers up to 127.

    Returns
    -------
    str
        Digest of the tensors, the one that the header will hold.
    """
    if dtype is torch.int8:
        tensors = _in_steps(tensors)
    elif dtype is not None:
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


def _in_steps(tensors: Mapping[str, Tensor]) -> Tensors:
    """Floating-point matrices and kernels as whole numbers and the size of a step of each row.

    Where that loses more than `LOSS`, because a row holds very small values beside large ones, half precision is kept.
    """
    found = {}
    for name, value in tensors.items():
        if not value.is_floating_point() or value.dim() < 2:
            found[name] = value
            continue
        step = value.abs().amax(dim=tuple(range(1, value.dim())), keepdim=True).float() / 127
        whole = (value / step.clamp_min(1e-30)).round()
        if (whole * step - value).norm() > LOSS * value.norm():
            found[name] = narrowed(name, value, torch.float16)
        else:
            found |= {name: whole.to(torch.int8), name + STEP: step}
    return found


def _from_steps(tensors: Tensors) -> Tensors:
    """The inverse of `_in_steps`, within half a step."""
    steps = {name.removesuffix(STEP): value for name, value in tensors.items() if name.endswith(STEP)}
    return {
        name: value.float() * steps[name] if name in steps else value
        for name, value in tensors.items()
        if not name.endswith(STEP)
    }


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
    return _from_steps(tensors), found


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> str:
    """One safetensors file, whole or not at all, its header one JSON text a field; returns the tensors' digest."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = unshared({name: value.detach().cpu().contiguous() for name, value in tensors.items()})
    digest = tensor_digest(plain)
    fields = {"format": "inscape-1", **header, "digest": digest}
    part = path.with_name(f"{path.name}.part")
    save_file(plain, part, metadata={name: json.dumps(value) for name, value in fields.items()})
    os.replace(part, path)
    return digest


def unshared(tensors: Tensors) -> Tensors:
    """The same tensors, copies only of those that share memory with one before them: a file holds each by itself."""
    memory: set[int] = set()
    found = {}
    for name, value in tensors.items():
        place = value.untyped_storage().data_ptr()
        found[name] = value.clone() if place in memory else value
        memory.add(place)
    return found


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


def below(prefix: str, tensors: Tensors) -> Tensors:
    """The tensors whose names start with ``prefix``, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def replace_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text)
    os.replace(part, path)
