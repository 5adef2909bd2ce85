"""Samples as rows of numbers, read a block at a time: a memory map of any size is never copied whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inscape.errors import DataError

Floats = NDArray[np.floating]
Indices = NDArray[np.int64]

BLOCK_VALUES, BLOCK_ROWS = 1 << 18, 64
"""Numbers in a block, few enough to stay in the cache, but never fewer rows than these."""


@dataclass(frozen=True)
class Rows:
    """A view of data, shape (n, *shape), as rows of ``size`` floats; NaN is kept and means *not measured*.

    Parameters
    ----------
    data
        Array or memory map, shape (n, d) or (n, channels, height[, width[, depth]]).
    dtype
        Float type that blocks come in.
    """

    data: NDArray[Any]
    dtype: np.dtype[Any]

    def __len__(self) -> int:
        return int(self.data.shape[0])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.data.shape[1:]

    @property
    def size(self) -> int:
        """Numbers in one sample."""
        return int(np.prod(self.shape))

    def take(self, indices: Indices | slice) -> Floats:
        """Some rows, shape (m, size), always a copy."""
        return np.array(self.data[indices], dtype=self.dtype).reshape(-1, self.size)

    def in_memory(self) -> Tensor | None:
        """All rows as one tensor that shares their memory; None where they would have to be copied or read."""
        data = self.data
        if isinstance(data, np.memmap) or data.dtype != self.dtype or not data.flags.c_contiguous:
            return None
        return torch.from_numpy(data.reshape(-1, self.size)) if data.flags.writeable else None

    def slices(self) -> Iterator[slice]:
        """Consecutive blocks that cover all rows."""
        step = max(BLOCK_ROWS, BLOCK_VALUES // self.size)
        for first in range(0, len(self), step):
            yield slice(first, min(first + step, len(self)))


def as_rows(data: Any, *, name: str = "X", dtype: np.dtype[Any] | None = None) -> Rows:
    """Data as `Rows`; `DataError` if they are not numbers of shape (n, d) or (n, channels, height, ...).

    Parameters
    ----------
    data
        Anything that numpy makes an array of. Arrays and memory maps are used as they are.
    dtype
        Float type to compute in; None keeps float64 and takes float32 for everything else.
    """
    if hasattr(data, "toarray"):
        raise DataError(f"{name} is a sparse matrix; dense data are needed: use .toarray()")
    array = data if isinstance(data, np.ndarray) else np.asarray(data)
    if np.iscomplexobj(array):
        raise DataError(f"{name}: Complex data not supported; give the real and imaginary parts as channels")
    if array.dtype == object:
        array = array.astype(np.float64)
    if array.dtype.kind not in "fiub":
        raise DataError(f"{name} holds {array.dtype}, numbers are needed")
    if array.ndim < 2 or array.ndim > 5:
        raise DataError(
            f"{name} has shape {array.shape}; expected (n, d) or (n, channels, height[, width[, depth]]). "
            "Reshape your data, with reshape(1, -1) if it is one sample, with reshape(-1, 1) if it is one feature"
        )
    if array.shape[0] == 0:
        raise DataError(f"{name} has 0 sample(s) (shape={array.shape}) while a minimum of 1 is required.")
    if 0 in array.shape:
        raise DataError(f"{name} has 0 feature(s) (shape={array.shape}) while a minimum of 1 is required.")
    if dtype is None:
        dtype = np.dtype(np.float64 if array.dtype == np.float64 else np.float32)
    return Rows(array, np.dtype(dtype))


def as_weights(weights: Any, n: int, dtype: np.dtype[Any]) -> Floats | None:
    """Sample weights scaled to a mean of 1, shape (n,), or None; `DataError` if they cannot be weights."""
    if weights is None:
        return None
    array = np.asarray(weights, dtype=np.float64)
    if array.ndim == 0:
        array = np.full(n, float(array))
    if array.shape != (n,):
        raise DataError(f"sample_weight has shape {array.shape}; expected ({n},), one number a sample")
    if not np.all(np.isfinite(array)) or np.any(array < 0) or not array.sum() > 0:
        raise DataError("sample_weight must be finite, not negative, and not all zero")
    scaled: Floats = (array / array.mean()).astype(dtype)
    return scaled


@dataclass(frozen=True)
class Statistics:
    """What one pass over the rows finds.

    Parameters
    ----------
    mean, variance
        Of the measured values of each feature, shape (size,), float64; 0 where nothing was measured.
    measured
        Whether a feature was ever measured, shape (size,), bool.
    complete
        Whether every value was.
    least, most
        Of the measured values of rows that have a weight.
    digest
        SHA-256 of shape, type and bytes.
    """

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    measured: NDArray[np.bool_]
    complete: bool
    least: float
    most: float
    digest: str


def statistics(rows: Rows, weights: Floats | None = None) -> Statistics:
    """Mean and variance of each feature in one pass (Chan's update), and all checks that need every value.

    Raises
    ------
    DataError
        A value is infinite, a row holds no measured value, or no feature varies.
    """
    digest = hashlib.sha256(f"{rows.data.dtype.str} {rows.data.shape};".encode())
    count, mean, square = np.zeros(rows.size), np.zeros(rows.size), np.zeros(rows.size)
    complete, least, most = True, np.inf, -np.inf
    for block in rows.slices():
        digest.update(np.ascontiguousarray(rows.data[block]).data)
        values = rows.take(block)
        mask = check_values(values, first=block.start)
        whole = bool(mask.all())
        complete &= whole
        weight = None if whole and weights is None else mask * (1.0 if weights is None else weights[block, None])
        counted = values if weight is None else values[weight > 0]
        least = min(least, float(counted.min(initial=np.inf)))
        most = max(most, float(counted.max(initial=-np.inf)))
        share, centre, spread = moments(values.astype(np.float64), weight)
        total = count + share
        safe = np.where(total > 0, total, 1.0)
        square += spread + (centre - mean) ** 2 * count * share / safe
        mean += (centre - mean) * share / safe
        count = total
    variance = square / np.where(count > 0, count, 1.0)
    resolution = np.finfo(rows.dtype).eps * np.abs(mean)
    if not np.any(variance > (4 * resolution) ** 2):
        raise DataError(
            f"the data are constant: all {len(rows)} samples are the same, so there is nothing to learn; "
            "give at least two that differ"
        )
    return Statistics(mean, variance, count > 0, complete, least, most, digest.hexdigest())


def moments(values: Floats, weight: Floats | None) -> tuple[Any, Floats, Floats]:
    """Sum of weights, mean, and weighted sum of squared deviations of each column; without weights all count 1."""
    if weight is None:
        centre = values.mean(axis=0)
        values = values - centre
        return float(len(values)), centre, np.einsum("ij,ij->j", values, values)
    values = np.nan_to_num(values, nan=0.0)
    share = weight.sum(axis=0)
    centre = (weight * values).sum(axis=0) / np.where(share > 0, share, 1.0)
    return share, centre, (weight * (values - centre) ** 2).sum(axis=0)


def check_values(values: Floats, *, first: int = 0) -> NDArray[np.bool_]:
    """Mask of the measured values; `DataError` on an infinite one or on a row without any."""
    if np.isfinite(values.sum(dtype=np.float64)):
        return np.ones(values.shape, dtype=bool)
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise DataError(f"sample {first + row}, value {column} is infinity; give NaN where nothing was measured")
    mask = ~np.isnan(values)
    empty = ~mask.any(axis=1)
    if empty.any():
        raise DataError(
            f"sample {first + int(np.argmax(empty))} holds no measured value (all NaN): leave it out "
            f"({int(empty.sum())} such among the {len(values)} looked at)"
        )
    return mask
