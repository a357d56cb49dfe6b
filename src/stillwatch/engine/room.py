"""What a run may take of the machine: memory of the relational engine, cores, and a folder for what does not fit."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stillwatch.errors import RunError, UsageError

LEAST = 256 << 20
"""Below this the engine cannot even spill."""
WORKER = 256 << 20
"""Memory that one process that sketches text is given, compiled code and chunks under way included."""
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_SIZE = re.compile(r"\s*(\d+(?:\.\d*)?)\s*([kmgt]?)(i?b)?\s*", re.IGNORECASE)
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""What numerical libraries read when they are loaded."""


def size(text: str) -> int:
    """Bytes of `8GB`, `8 GiB`, `8g` or a plain number; GB is 2^30 as GiB is. UsageError if it is none, or too small."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} is no size of memory: write 8GB or 700MB")
    bytes_ = int(float(found[1]) * 1024 ** _UNITS[found[2].lower()])
    if bytes_ < LEAST:
        raise UsageError(f"{text} of memory is too little: the engine needs {LEAST >> 20}MB to spill at all")
    return bytes_


@dataclass(frozen=True)
class Room:
    """What a run may take."""

    memory: int = 3 << 30
    """Bytes that the relational engine holds before it spills to disk."""
    threads: int = 0
    """Cores for the engine and processes for text; 0 = all that this process may use."""
    tmp: Path | None = None
    """Folder for what spills; None = the run folder."""

    def as_dict(self) -> dict[str, int | str | None]:
        """For the manifest."""
        return {"memory": self.memory, "threads": self.cores, "tmp": None if self.tmp is None else str(self.tmp)}

    @property
    def cores(self) -> int:
        """Cores to use."""
        return self.threads or len(os.sched_getaffinity(0))

    def workers(self, wanted: int = 0) -> int:
        """Processes that sketch text: as many as wanted, else one a core, as far as memory goes."""
        return wanted or max(1, min(self.cores, self.memory // WORKER))

    @contextmanager
    def scratch(self, beside: Path) -> Iterator[Path]:
        """A folder of its own for what spills, in `tmp` or else in the folder `beside`; it goes when the block ends."""
        where = self.tmp or beside
        try:
            where.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=".scratch-", dir=where))
        except OSError as error:
            raise RunError(f"cannot write temporary files in {where}: {error.strerror}") from error
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def bind(self) -> None:
        """Hold numerical libraries to `threads` as well; only those that are loaded after this, and child processes."""
        if self.threads:
            os.environ.update(dict.fromkeys(THREADS, str(self.threads)))
