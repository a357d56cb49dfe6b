"""Work side by side: every result, in order, with a bounded number of items fetched ahead."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.engine.inorder import threaded


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 5), max_size=30), st.integers(1, 4), st.integers(0, 5))
def test_results_come_in_the_order_of_the_items(items: list[int], threads: int, ahead: int) -> None:
    def slow(item: int) -> int:
        time.sleep(item / 5000)
        return item * 2

    assert list(threaded(slow, items, threads, ahead)) == [2 * item for item in items]


def test_no_more_is_fetched_than_asked() -> None:
    fetched = 0

    def items() -> Iterator[int]:
        nonlocal fetched
        for item in range(100):
            fetched += 1
            yield item

    found = threaded(lambda item: item, items(), 2, 4)
    assert [next(found) for _ in range(3)] == [0, 1, 2]
    assert fetched <= 3 + 4


def test_two_run_at_once() -> None:
    both = threading.Barrier(2, timeout=10)
    assert sorted(threaded(lambda _: both.wait(), range(4), 2)) == [0, 0, 1, 1]


def test_an_error_comes_out_where_its_result_would() -> None:
    found = threaded(lambda item: 1 // item, [1, 1, 0, 1], 2)
    assert [next(found), next(found)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(found)
