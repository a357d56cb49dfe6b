"""One process at a time: a lock of the operating system, which dies with its process however that ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stillwatch.errors import RunError

LOCK = "lock"


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the state folder `root`, made if absent; RunError if another process holds it or it cannot be written."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        handle = (root / LOCK).open("a")
    except OSError as error:
        raise RunError(f"cannot write the state {root}: {error.strerror or error}") from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunError(f"the state {root} is in use by another process: one run at a time") from error
        yield
