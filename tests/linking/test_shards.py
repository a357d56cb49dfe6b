"""Blocks of work give the same in one thread and in many, whatever a block holds."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp

from stillwatch.linking import candidates, embeddings, pairs, sources
from stillwatch.linking.shards import ALONE, Arrays, Found, Shards, Threads, blocks, laid_together
from tests.linking.small import small_null


def squares(arrays: Arrays, number: int) -> Found:
    """Work that anybody can check."""
    return arrays["x"][2 * number : 2 * number + 2] ** 2, np.array([number])


def paired(shards: Shards) -> Found:
    """Pair tests of four hundred nodes."""
    null = small_null(400, 5, strata=True)
    order = candidates.orders([f"n{k}" for k in range(400)], 8, 0)
    found = pairs.scan_pairs(null, candidates.neighbours(null, order), -0.5, shards=shards)
    return found.a, found.b, found.log_p, found.views


def near_in_words(shards: Shards) -> Found:
    """Neighbours by words of eighty nodes."""
    rows = sp.random(80, 40, 0.2, "csr", rng=np.random.default_rng(3))
    return sources._nearest(rows, np.random.default_rng(4).permutation(80), 14, shards)


def near_in_meaning(shards: Shards) -> Found:
    """Neighbours by embedding of ninety points."""
    unit = np.random.default_rng(5).normal(size=(90, 6))
    return embeddings.nearest(unit / np.linalg.norm(unit, axis=1)[:, None], 7, shards)


WORKS = (paired, near_in_words, near_in_meaning)


def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that so few nodes are several blocks."""
    monkeypatch.setattr(pairs, "BLOCK", 16)
    monkeypatch.setattr(sources, "BLOCK", 16)
    monkeypatch.setattr(embeddings, "ROOM", 16 * 90)


def test_blocks_come_in_order_from_any_number_of_threads() -> None:
    for count in (1, 2, 5):
        values, numbers = laid_together(Threads(count).over(squares, {"x": np.arange(7)}, blocks(7, 2)))
        assert values.tolist() == [0, 1, 4, 9, 16, 25, 36]
        assert numbers.tolist() == [0, 1, 2, 3]


def test_threads_are_at_work_at_once() -> None:
    meet = threading.Barrier(3, timeout=30)
    assert Threads(3).each(lambda _: meet.wait() >= 0, range(3)) == [True] * 3


@pytest.mark.parametrize(("nodes", "size", "count"), [(0, 5, 1), (1, 5, 1), (5, 5, 1), (6, 5, 2)])
def test_there_is_one_block_at_least(nodes: int, size: int, count: int) -> None:
    assert blocks(nodes, size) == count


@pytest.mark.parametrize("work", WORKS)
def test_neither_blocks_nor_threads_change_what_is_found(
    work: Callable[[Shards], Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = work(ALONE)
    assert len(whole[0]) > 10
    small_blocks(monkeypatch)
    seen: list[int] = []

    class Counted(Threads):
        def over(self, work: object, arrays: Arrays, count: int) -> list[Found]:
            seen.append(count)
            return super().over(work, arrays, count)  # type: ignore[arg-type]

    for found in (work(Counted(1)), work(Counted(3))):
        for mine, theirs in zip(found, whole, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert min(seen) > 3, "several blocks"
