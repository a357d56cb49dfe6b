"""Memory that a process does not need any more goes back to the system, so that how much it holds says what it needs.

A look, and reading its run, take many times what is left of them afterwards. Allocators keep such memory for the next
time, each thread of its own, and a service that runs for weeks would come to hold the most of everything that ever was.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
from functools import cache

import pyarrow as pa

_ARENAS_AT_MOST = -8
"""M_ARENA_MAX of glibc's malloc.h."""
ARENAS = 2


@cache
def _libc() -> ctypes.CDLL | None:
    """glibc; None where malloc is another's, which has its own ways."""
    try:
        found = ctypes.CDLL("libc.so.6")
    except OSError:
        return None
    return found if hasattr(found, "malloc_trim") and hasattr(found, "mallopt") else None


def begin() -> None:
    """At the start of a process, before it has threads; what was loaded by then is not looked through again."""
    libc = _libc()
    if libc is not None:
        libc.mallopt(_ARENAS_AT_MOST, ARENAS)
    gc.freeze()
    atexit.register(gc.unfreeze)  # else libraries take what is left for leaked, and say so at length


def give_back() -> None:
    """Return what is free; from any thread, others go on meanwhile."""
    pa.default_memory_pool().release_unused()
    libc = _libc()
    if libc is not None:
        libc.malloc_trim(0)
