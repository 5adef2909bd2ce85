"""Threads of numpy and torch on the same cores, and work that is shared between cores."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

T = TypeVar("T")

CORES_VARIABLE = "OMP_NUM_THREADS"
"""Environment variable that says how many cores to use, here as in numpy and torch."""

_cores_are_taken = threading.Lock()


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # looks through all loaded libraries


@contextmanager
def numpy_alone() -> Iterator[None]:
    """Inside, or in a function decorated with it, numpy multiplies matrices with one thread.

    Threads of its BLAS wait for more work by spinning, and take the cores from torch's where the two alternate: on two
    cores predictions then take 1.6 times as long.
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield


@contextmanager
def _torch_alone() -> Iterator[None]:
    """Inside, torch computes with one thread, too, if it is there at all."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def cores() -> int:
    """Cores to work on: as many as ``OMP_NUM_THREADS`` says, otherwise all that this process may use."""
    said = os.environ.get(CORES_VARIABLE, "")
    if said.isdigit():
        return max(1, int(said))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side(calls: Iterable[Callable[[], T]]) -> list[T]:
    """What each of the calls returns, in their order; they are made at the same time, each on a core of its own.

    This pays where numpy or torch compute, which let other threads go on. While cores are taken in this way, within
    such a call or in another thread, calls are made one after the other. The first error in their order is raised, when
    all that had begun have ended.
    """
    waiting = list(calls)
    n_threads = min(len(waiting), cores())
    if n_threads < 2 or not _cores_are_taken.acquire(blocking=False):
        return [call() for call in waiting]
    try:
        with numpy_alone(), _torch_alone(), ThreadPoolExecutor(n_threads, "inscape") as pool:
            return list(pool.map(lambda call: call(), waiting))
    finally:
        _cores_are_taken.release()


def shares(n: int, most: int | None = None) -> list[slice]:
    """Slices that together hold n things, as many as there are cores, or more so that none holds more than ``most``."""
    size = max(1, min(most or n, -(-n // cores())))
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]
