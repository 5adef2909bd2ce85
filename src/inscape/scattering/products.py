"""Structure factors as products of a vector for each Q with the matrix of the modes of its q: by numpy, or on a GPU."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inscape.errors import InscapeError

Complex = NDArray[np.complexfloating]

VARIABLE = "INSCAPE_DEVICE"
"""Environment variable that names the device as torch does: "cuda", "cuda:1". numpy multiplies unless it is set."""

CACHE_BYTES = 1_000_000
"""Block of structure factors that stays in the cache of a core."""

DEVICE_BYTES = 64_000_000
"""Block that keeps a GPU busy."""


def block_bytes() -> int:
    """Largest array of structure factors to work on at a time."""
    return DEVICE_BYTES if os.environ.get(VARIABLE) else CACHE_BYTES


def products(vectors: Complex, index: NDArray[np.integer], matrices: Complex) -> Complex:
    """``matrices[index[i]] @ vectors[i]`` for every i.

    Parameters
    ----------
    vectors
        Shape (n, m).
    index
        Shape (n,); it does not fall.
    matrices
        Shape (n_matrices, m, m).

    Returns
    -------
    Complex
        Shape (n, m).

    Raises
    ------
    InscapeError
        The device that the environment names is not there.
    """
    bounds = [*np.flatnonzero(np.diff(index, prepend=-1)), len(index)]
    name = os.environ.get(VARIABLE)
    if name:
        return _on_device(_device(name), vectors, index, matrices, bounds)
    found = np.empty_like(vectors)
    for first, last in pairwise(bounds):
        np.matmul(vectors[first:last], matrices[index[first]].T, out=found[first:last])
    return found


def _on_device(
    device: Any, vectors: Complex, index: NDArray[np.integer], matrices: Complex, bounds: list[int]
) -> Complex:
    """All of them as one batch, vectors of one matrix side by side, as many columns as the most frequent has."""
    import torch

    starts = np.asarray(bounds[:-1])
    group = np.repeat(np.arange(len(starts)), np.diff(bounds))
    column = np.arange(len(index)) - starts[group]
    padded = np.zeros((len(starts), int(column.max(initial=0)) + 1, vectors.shape[1]), dtype=vectors.dtype)
    padded[group, column] = vectors
    right = torch.from_numpy(matrices[index[starts]]).to(device).transpose(1, 2)
    return np.asarray(torch.bmm(torch.from_numpy(padded).to(device), right).cpu().numpy()[group, column])


def _device(name: str) -> Any:
    """torch's device of this name; `InscapeError` where there is none."""
    import torch

    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InscapeError(
            f"{VARIABLE} = {name!r} cannot be used ({str(error).splitlines()[0]}); unset it to compute with numpy"
        ) from error
    return device
