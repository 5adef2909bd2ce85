"""Memory that training frees and takes again at every step."""

from __future__ import annotations

import ctypes
from functools import lru_cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""glibc's names: malloc.h."""

LARGEST_KEPT = 32 << 20
"""Bytes of the largest piece that is kept, the most that glibc allows."""

MOST_KEPT = 256 << 20
"""Bytes of free memory above which it goes back to the system."""


@lru_cache(maxsize=1)
def keep_freed_memory() -> bool:
    """Let this process keep memory that is freed, for the next step needs as much again.

    By default glibc gives large pieces back to the system at once, and the system hands out, and clears, new pages at
    each step: in a small network that takes a fifth of the time (mallopt(3)). Without glibc nothing is done.

    Returns
    -------
    bool
        Whether it could be done.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)) and bool(mallopt(M_TRIM_THRESHOLD, MOST_KEPT))
