"""Threads of numpy and torch on the same cores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController


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
