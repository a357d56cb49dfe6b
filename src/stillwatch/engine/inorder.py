"""Work done side by side on things that come one by one: results in their order, a bounded number in flight."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(items: Iterable[T], submit: Callable[[T], Future[R]], ahead: int) -> Iterator[R]:
    """Results in the order of the items, of which `ahead` are under way at once."""
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(submit(item))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def threaded(work: Callable[[T], R], items: Iterable[T], threads: int, ahead: int = 0) -> Iterator[R]:
    """`work` of each item, in order, while the next are fetched (`ahead` at once, else two a thread and one); with one
    thread without any of its own."""
    if threads < 2:
        yield from map(work, items)
        return
    pool = ThreadPoolExecutor(threads)
    try:
        yield from in_order(items, lambda item: pool.submit(work, item), ahead or 2 * threads + 1)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
