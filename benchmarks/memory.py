"""Time and memory of training as the number of rows grows, from a memory-mapped file.

    python benchmarks/memory.py FOLDER [--rows 1000 10000 100000 1000000] [--width 64]

Each size is one fresh process, one epoch, one thread; the peak is that of anonymous memory above what it was before
`fit` (pages of the file that the system keeps are no one's).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

CHILD = "--child"


def anonymous() -> int:
    """Anonymous resident memory of this process, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("RssAnon")))


def child(path: str) -> None:
    """Train on a file, print processor time and peak."""
    import torch

    from inscape.autoencoders import Autoencoder

    torch.set_num_threads(1)
    X = np.load(path, mmap_mode="r")
    options = {"hidden": (64,), "epochs": 1, "batch_size": 512, "random_state": 0}
    Autoencoder(8, **options).fit(np.array(X[:512]))  # what only the first call takes
    before, peak, done = anonymous(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            peak[0] = max(peak[0], anonymous())

    thread = threading.Thread(target=watch)
    thread.start()
    start = time.process_time()
    Autoencoder(8, **options).fit(X)
    seconds = time.process_time() - start
    done.set()
    thread.join()
    sys.stdout.write(f"{seconds:.2f} {max(0, peak[0] - before) / 2**20:.0f}")


def main() -> None:
    """Write files, measure and print."""
    if sys.argv[1:2] == [CHILD]:
        child(sys.argv[2])
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--width", type=int, default=64)
    options = parser.parse_args()
    sys.stdout.write("| rows | file, MiB | s | s per million rows | peak above start, MiB |\n|---|---|---|---|---|\n")
    rng = np.random.default_rng(0)
    for n in options.rows:
        path = Path(options.folder) / f"rows-{n}.npy"
        data = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n, options.width))
        for first in range(0, n, 100_000):
            data[first : first + 100_000] = rng.standard_normal(data[first : first + 100_000].shape)
        data.flush()
        size = data.nbytes / 2**20
        del data
        words = subprocess.run(
            [sys.executable, __file__, CHILD, str(path)], capture_output=True, text=True, check=True
        ).stdout.split()
        seconds, peak = float(words[0]), float(words[1])
        sys.stdout.write(f"| {n:,} | {size:.1f} | {seconds:.2f} | {1e6 * seconds / n:.1f} | {peak:.0f} |\n")
        sys.stdout.flush()
        path.unlink()


if __name__ == "__main__":
    main()
