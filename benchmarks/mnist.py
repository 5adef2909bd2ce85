"""MNIST for the benchmarks: images as rows between 0 and 1, from gzip-ed IDX files."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array in an IDX file of bytes: two zeros, type 8, number of axes, big-endian lengths, values."""
    data = gzip.decompress(path.read_bytes())
    lengths = struct.unpack(f">{data[3]}I", data[4 : 4 + 4 * data[3]])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(lengths)


def load_mnist(
    folder: str | Path, part: str, limit: int | None = None
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Images, shape (n, 784), 0 to 1, and labels of part "train" or "t10k"; the first ``limit`` of them."""
    images, labels = (read_idx(Path(folder) / f"{part}-{name}-ubyte.gz") for name in ("images-idx3", "labels-idx1"))
    return (images[:limit].reshape(-1, 784) / np.float32(255)), labels[:limit]
