"""Memory while a library is read for training, as it grows: the peak of a process that reads the first N crystals.

    python benchmarks/streaming.py LIBRARY [N ...]

Twice: spectra batch by batch from the library itself (`Library.stream`), and prepared samples in random order, of which
200 MB may stay in memory (`Samples`; 4 GB in training). A process of its own for each figure.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable

import numpy as np

from inscape.library import Library
from inscape.structure_model import dataset


def by_stream(library: Library, names: list[str]) -> None:
    """All spectra, in batches of 32."""
    for batch in library.stream(names, "partial_dos", "powder", "crystal", random_state=0):
        assert batch


def by_samples(library: Library, names: list[str]) -> None:
    """Prepared crystals in random order."""
    dataset.KEPT_BYTES = 200_000_000
    samples = dataset.Samples(library, names, "powder")
    for index in np.random.default_rng(0).permutation(len(samples)):
        assert samples[index].n_bytes


def measure(read: Callable[[Library, list[str]], None], path: str, number: int, queue: multiprocessing.Queue) -> None:
    """Crystals read, seconds and growth of the peak of memory, MiB."""
    library = Library(path)
    names = library.select("train", max_atoms=40)[:number]
    read(library, names[:40])  # what is loaded at first use
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    read(library, names)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    queue.put((len(names), time.perf_counter() - start, grown / 1024))


def main() -> None:
    """Print a table."""
    context = multiprocessing.get_context("spawn")
    print("| crystals | read by | a second | memory grows by, MiB |\n|---|---|---|---|")
    for read in (by_stream, by_samples):
        for number in [int(n) for n in sys.argv[2:]] or [500, 1500, 5000]:
            queue = context.Queue()
            process = context.Process(target=measure, args=(read, sys.argv[1], number, queue))
            process.start()
            count, seconds, grown = queue.get()
            process.join()
            print(f"| {count} | {read.__name__} | {count / seconds:.0f} | {grown:.0f} |", flush=True)


if __name__ == "__main__":
    main()
