"""Crowds: who shares more than strangers do, and what is so of those who ask alike."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.linking import crowds, embeddings, groups, members
from tests.linking.small import small_null
from tests.linking.test_hands import NODES, RING, exits, points, shared, words_of


def strangers_twin(held: list[float], members: list[int], rank: list[int], most: int) -> list[list[int]]:
    """Outsiders by what they hold, then by rank: a few that hold as many, further on for each member in turn."""
    queue = sorted((k for k in range(len(held)) if k not in members), key=lambda k: (held[k], rank[k]))
    several = min(most, len(queue))
    out: dict[int, list[int]] = {}
    for number in {held[k] for k in members}:
        first = sum(held[k] < number for k in queue)
        alike = sum(held[k] == number for k in queue)
        mine = sorted((k for k in members if held[k] == number), key=lambda k: rank[k])
        for turn, k in enumerate(mine):
            if alike > several:
                start = first + (turn * several) % (alike - several + 1)
            else:
                start = first - (several - alike) // 2
            start = min(max(start, 0), len(queue) - several)
            out[k] = queue[start : start + several]
    return [out[k] for k in members]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 50), st.sets(st.integers(0, 24), min_size=2), st.randoms(use_true_random=False))
def test_agrees_with_its_twin(seed: int, some: set[int], random: Random) -> None:
    of = small_null(25, seed, strata=True)
    members, rank = sorted(some), random.sample(range(25), 25)
    held = of.shared.volume.sum(axis=1).tolist()
    expected = strangers_twin(held, members, rank, crowds.STRANGERS)
    at = np.array(members)
    assert crowds.strangers(of, at, np.array(rank)).tolist() == expected
    more = crowds.shares_more(of, at, np.array(rank))
    for k, others, found in zip(members, expected, more.tolist(), strict=True):
        mine = groups.against(of, at, np.array([k]))[1][0, 0]
        theirs = [groups.against(of, at, np.array([other]))[1][0, 0] for other in others]
        wins = [1.0 if mine > other else 0.5 if mine == other else 0.0 for other in theirs]
        assert found == pytest.approx(sum(wins) / len(wins) if wins else 1.0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1_000), st.integers(2, 70), st.integers(0, 70))
def test_the_mean_around_agrees_with_its_twin(seed: int, size: int, without: int) -> None:
    rng = np.random.default_rng(seed)
    members = np.sort(rng.choice(100, size, replace=False))
    nodes = np.setdiff1d(np.arange(100), rng.choice(members, min(without, size), replace=False))
    raw = rng.normal(size=(len(nodes), 5)).astype(np.float32)
    unit = raw / np.linalg.norm(raw, axis=1)[:, None]
    more, rank = rng.random(size), rng.permutation(100)
    asked = rng.permutation(100)[: size + 5]
    found = crowds.around(embeddings.Points(nodes, unit), members, more, rank, asked)
    of = {int(k): row for k, row in zip(nodes, unit, strict=True)}
    known = [k for k in members.tolist() if k in of]
    for k, mean in zip(asked.tolist(), found.tolist(), strict=True):
        compared = k in of and known
        nearest = sorted(known, key=lambda other: -float(of[k] @ of[other])) if compared else members.tolist()
        nearest = nearest[: crowds.NEIGHBOURS] if compared else nearest
        assert mean == pytest.approx(np.mean([more[np.searchsorted(members, other)] for other in nearest]), abs=1e-6)


def test_a_ring_shares_more_than_strangers_and_a_crowd_does_not() -> None:
    of = shared({"payment": exits(RING, 6, 60, 3), "address": exits(RING, 5, 40, 4)})
    both = np.array([*RING, *range(300, 420)])
    more = crowds.shares_more(of.null, both, of.rank)
    assert more[: len(RING)].mean() > 0.9
    assert 0.4 < more[len(RING) :].mean() < 0.6
    apart = crowds.around(points(dict.fromkeys(RING, 1.0)), both, more, of.rank, both)
    assert apart[: len(RING)].min() > 0.8
    assert np.median(apart[len(RING) :]) < 0.65


def test_whoever_was_a_member_is_no_stranger() -> None:
    of = small_null(25, 1, strata=False)
    ever = np.arange(25) < 12
    assert crowds.strangers(of, np.arange(5), np.arange(25), ever).min() >= 12


def test_a_member_who_left_is_no_outsider_for_the_others() -> None:
    """A quarter of a ring leans far; whoever leaves first must not make what the others ask look ordinary."""
    ring, far = np.arange(120), 30
    of = shared({"payment": exits(range(120), 6, 60, 3), "address": exits(range(120), 6, 60, 4)})
    where = points({k: 1.0 if k < far else 0.45 for k in ring.tolist()})
    group = groups.Group(ring, np.full(120, -20.0), np.ones(120, dtype=bool))
    words = (sp.csr_matrix((NODES, 0)), np.zeros(NODES))
    reviewed = members.review(of.null, words, where, group, np.zeros(NODES, dtype=bool), of.rank, 0.01)
    assert reviewed is not None
    assert set(range(far)) <= set(reviewed.members.tolist())
    assert len(reviewed.members) >= 70


def test_where_everybody_is_a_member_nobody_is_a_stranger() -> None:
    of = small_null(25, 1, strata=False)
    assert crowds.shares_more(of, np.arange(25), np.arange(25)).tolist() == [1.0] * 25


def test_who_could_come_in_by_what_it_asks_does_not_go_for_sharing_less_than_others() -> None:
    """A small ring beside a large one in one group shares less with it; its words and embedding are as certain.

    It went by one rule and came back by the other, round after round.
    """
    large, small = range(120), range(120, 160)
    exit = exits(large, 6, 60, 5) + exits(range(160), 6, 8, 6)
    of = shared({"payment": exits(large, 6, 80, 3) + exits(small, 5, 60, 4), "address": exit})
    rng = np.random.default_rng(7)
    raw = rng.normal(size=(NODES, 40))
    unit = raw / np.linalg.norm(raw, axis=1)[:, None]
    unit[:160] = 0.3 * unit[:160] + np.eye(40)[0]
    unit[:120] += 0.6 * np.eye(40)[2]
    unit[120:160] += 0.6 * np.eye(40)[1]
    where = embeddings.Points(np.arange(NODES), (unit / np.linalg.norm(unit, axis=1)[:, None]).astype(np.float32))
    both = np.arange(160)
    group = groups.Group(both, np.full(160, -20.0), np.ones(160, dtype=bool))
    texts = words_of({k: {(k + j) % 100 for j in range(20)} for k in both.tolist()})
    around = crowds.around(where, both, crowds.shares_more(of.null, both, of.rank), of.rank, both)
    assert crowds_in_between(around[:120], around[120:])
    reviewed = members.review(of.null, texts, where, group, np.zeros(NODES, dtype=bool), of.rank, 0.01)
    assert reviewed is not None
    assert reviewed.members.tolist() == both.tolist()


def crowds_in_between(large: np.ndarray, small: np.ndarray) -> bool:
    """Whether the small ring is no crowd, and shares clearly less than the large one."""
    return bool(small.min() > members.CROWD and np.median(small) < np.median(large) - members.LESS)
