"""Seeds: a core that shares beyond chance finds those who ask as it does, and pays for the search."""

from __future__ import annotations

import numpy as np

from stillwatch.linking import candidates, groups, seeds
from stillwatch.linking.communities import components
from stillwatch.linking.link import significant
from stillwatch.linking.null import Null
from stillwatch.linking.pairs import Pairs, scan_pairs
from stillwatch.linking.sources import Source
from tests.linking.test_hands import NODES, exits, points, shared

RING, CORE = range(60), range(20)
NOTHING = np.full(NODES, -1, np.int64)


def weak_links(control: Null) -> tuple[Pairs, np.ndarray]:
    orders = candidates.orders([f"a{k}" for k in range(NODES)], 4, 0)
    return scan_pairs(control, candidates.neighbours(control, orders), -4.0), np.argsort(orders[0])


def found(holders: dict[str, list[list[int]]], like: dict[int, float]) -> list[Source]:
    control = shared(holders).null
    weak, rank = weak_links(control)
    strong = significant(weak, NODES, 0.01)
    clump = components(NODES, strong.a, strong.b)
    return seeds.by_control(control, weak, points(like), NOTHING, clump, rank, 0.01, 0)


CARDS = exits(CORE, 5, 40, 3)
ADDRESSES = exits(CORE, 5, 40, 4)


def test_a_core_finds_those_who_ask_as_it_does() -> None:
    sources = found({"payment": CARDS, "address": ADDRESSES}, dict.fromkeys(RING, 1.0))
    assert [set(source.members.tolist()) for source in sources] == [set(RING)]


def test_the_source_pays_for_the_search_of_its_core() -> None:
    (source,) = found({"payment": CARDS, "address": ADDRESSES}, dict.fromkeys(RING, 1.0))
    assert source.price == groups.union_bound(len(CORE), NODES)


def test_a_core_that_asks_like_anybody_finds_nobody() -> None:
    assert found({"payment": CARDS, "address": ADDRESSES}, {}) == []


def test_who_shares_nothing_is_no_core() -> None:
    assert found({}, dict.fromkeys(RING, 1.0)) == []


def test_households_are_no_core() -> None:
    homes = [[200 + 4 * k + j for j in range(4)] for k in range(100)]
    assert found({"payment": homes, "address": homes}, dict.fromkeys(RING, 1.0)) == []
