"""Blocks of linking as tasks of a cluster: pair tests and searches for neighbours, which grow with the accounts.

The driver lays the arrays down beside the run, where executors see them, and a task maps them into memory: executors on
one machine share the pages. A block that runs twice gives the same.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from stillwatch.engine.spark import SparkEngine
from stillwatch.errors import RunError
from stillwatch.linking.shards import ALONE, Arrays, Found, Work


@dataclass(frozen=True)
class Cluster:
    """Executors, and a folder that they and the driver see."""

    engine: SparkEngine
    folder: Path

    def over(self, work: Work, arrays: Arrays, count: int) -> list[Found]:
        """See `shards.Shards`. One block is not worth a task. RunError if Spark fails or the arrays find no room."""
        if count < 2:
            return ALONE.over(work, arrays, count)
        with tempfile.TemporaryDirectory(prefix=".scratch-", dir=self.folder) as name:
            place = Path(name).resolve()
            try:
                for array, values in arrays.items():
                    np.save(place / f"{array}.npy", values)
            except OSError as error:
                raise RunError(f"cannot write temporary files in {self.folder}: {error.strerror}") from error
            return [_read(answer) for answer in self.engine.deal(partial(_one, work, place, sorted(arrays)), count)]


def _one(work: Work, place: Path, names: Sequence[str], number: int) -> bytes:
    """A block, on an executor. Copies on write are never written; numba takes a read-only array for another type."""
    arrays = {name: np.load(place / f"{name}.npy", mmap_mode="c") for name in names}
    out = io.BytesIO()
    np.savez(out, *work(arrays, number))
    return out.getvalue()


def _read(answer: bytes) -> Found:
    with np.load(io.BytesIO(answer)) as parts:
        return tuple(parts[f"arr_{place}"] for place in range(len(parts)))
