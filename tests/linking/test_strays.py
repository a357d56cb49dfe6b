"""Strays: who comes to a group last, for its words."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.linking import embeddings, groups, members, strays
from tests.linking.test_hands import NODES, OTHER, RING, points, shared, words_of

FDR = 0.01
STRAY = 100
ALL = np.ones(NODES, dtype=bool)


def group(nodes: range) -> groups.Group:
    return groups.Group(np.array(nodes), np.full(len(nodes), -20.0), np.ones(len(nodes), dtype=bool))


def asks(first: int) -> set[int]:
    return {first + k for k in range(20)}


TEXTS = {k: {(k + j) % 60 for j in range(20)} for k in RING} | {
    k: {60 + (k + j) % 60 for j in range(20)} for k in OTHER
}
"""Each of two rings has sixty tokens."""


@pytest.mark.parametrize(
    ("who", "words", "like", "may", "comes"),
    [
        ("words beyond doubt and an embedding of that way", asks(0), 0.5, True, True),
        ("a declared customer", asks(0), 0.5, False, False),
        ("an embedding of no way, as a user of the same library", asks(0), 0.0, True, False),
        ("an embedding alone", set(), 0.5, True, False),
        ("two words of many", {0, 1}, 0.5, True, False),
    ],
)
def test_who_has_a_groups_words_and_leans_its_way_comes(
    who: str, words: set[int], like: float, may: bool, comes: bool
) -> None:
    where = points({**dict.fromkeys(RING, 1.0), STRAY: like})
    allowed = ALL.copy()
    allowed[STRAY] = may
    words_now = words_of({k: TEXTS[k] for k in RING} | {STRAY: words})
    (now,) = strays.joined(shared({}).null, words_now, where, [group(RING)], allowed, FDR)
    assert now.members.tolist() == ([*RING, STRAY] if comes else [*RING]), who
    assert len(now.members) == len(now.member_log_p) == len(now.proven)
    if comes:
        assert now.member_log_p[-1] < 2 * np.log(FDR / NODES)


def test_a_stray_of_two_groups_goes_where_more_of_its_words_are() -> None:
    leaning = points({**dict.fromkeys(RING, 1.0), **dict.fromkeys(OTHER, 1.0), STRAY: 0.6})
    both = [group(RING), group(OTHER)]
    words = words_of({**TEXTS, STRAY: {*range(18), *range(60, 76)}})
    first, second = strays.joined(shared({}).null, words, leaning, both, ALL, FDR)
    assert (STRAY in first.members, STRAY in second.members) == (True, False)


def test_without_embeddings_nobody_comes() -> None:
    words = words_of({k: TEXTS[k] for k in RING} | {STRAY: asks(0)})
    given_groups = [group(RING)]
    assert strays.joined(shared({}).null, words, None, given_groups, ALL, FDR) == given_groups


CONTROL = shared({}).null


@given(
    st.dictionaries(st.integers(81, NODES - 1), st.tuples(st.integers(0, 119), st.floats(0, 1)), max_size=12),
    st.sets(st.integers(81, NODES - 1), max_size=4),
)
def test_agrees_with_its_twin(outside: dict[int, tuple[int, float]], forbidden: set[int]) -> None:
    texts = TEXTS | {node: {(first + k) % 120 for k in range(20)} for node, (first, _) in outside.items()}
    lean = dict.fromkeys([*RING, *OTHER], 1.0) | {node: like for node, (_, like) in outside.items()}
    where, words = points(lean), words_of(texts)
    allowed = ~np.isin(np.arange(NODES), list(forbidden))
    both = [group(RING), group(OTHER)]
    now = strays.joined(CONTROL, words, where, both, allowed, FDR)
    assert [set(one.members.tolist()) for one in now] == twin(words, where, both, allowed)


def twin(
    words: tuple[sp.csr_matrix, np.ndarray], where: embeddings.Points, found: list[groups.Group], allowed: np.ndarray
) -> list[set[int]]:
    """One account after the other."""
    inside = {int(node) for one in found for node in one.members}
    ever = np.isin(np.arange(NODES), list(inside))
    out = [set(one.members.tolist()) for one in found]
    said = [members.evidence(CONTROL, words, where, one, FDR, ever) for one in found]
    for node in range(NODES):
        if node in inside or not allowed[node]:
            continue
        surest, place = 0.0, None
        for k, one in enumerate(said):
            sure = one.by_words[node] <= np.log((FDR / NODES) ** 2) and one.theirs[node]
            if sure and not one.unknown[node] and one.by_embedding[node] <= np.log(FDR) and one.by_words[node] < surest:
                surest, place = one.by_words[node], k
        if place is not None:
            out[place].add(node)
    return out
