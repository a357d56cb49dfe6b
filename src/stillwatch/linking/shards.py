"""What is done block by block, in threads of this machine or as tasks of a cluster (`linking.spread`), with one result.

A block's result depends on the arrays and its number alone, and how many blocks there are on the work alone: so blocks
may run anywhere, in any order, and twice, and no engine and no number of threads changes what is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

Arrays = Mapping[str, npt.NDArray[Any]]
Found = tuple[npt.NDArray[Any], ...]
Work = Callable[[Arrays, int], Found]
"""A function of a module, or a partial one of such: it has to travel. It must not write into the arrays."""
T = TypeVar("T")
R = TypeVar("R")


class Shards(Protocol):
    """Whoever does the work."""

    def over(self, work: Work, arrays: Arrays, count: int) -> list[Found]:
        """`work(arrays, k)` for every k below `count`, in order."""


@dataclass(frozen=True)
class Threads:
    """This machine: as many threads, which pays where the work is compiled code or matrices."""

    count: int = 1

    def over(self, work: Work, arrays: Arrays, count: int) -> list[Found]:
        """See `Shards`."""
        return self.each(partial(work, arrays), range(count))

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """`work` of each item, in order."""
        if self.count < 2:
            return [work(item) for item in items]
        with ThreadPoolExecutor(self.count) as pool:
            return list(pool.map(work, items))


ALONE = Threads()


def blocks(nodes: int, size: int) -> int:
    """How many blocks of `size` there are, one at least."""
    return max(-(-nodes // size), 1)


def laid_together(found: list[Found]) -> Found:
    """The parts of all blocks, one after the other."""
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))
