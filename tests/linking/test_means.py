"""Means: a class shares a place, a hand shares cards."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.linking.matrix import Incidence, incidence
from stillwatch.linking.means import LEAST, means_log_p
from stillwatch.linking.views import view_of

NODES = 400


def log(cards: list[list[int]], address: list[list[int]]) -> Incidence:
    """Everybody has a card and an address of their own, and those listed share some."""
    matrices = []
    for shared in (cards, address):
        columns = [*shared, *([[node] for node in range(NODES)])]
        row = np.concatenate([np.array(column, np.int64) for column in columns])
        of = np.repeat(np.arange(len(columns)), [len(column) for column in columns])
        matrices.append(sp.csr_matrix((np.ones(len(row), np.int64), (row, of)), shape=(NODES, len(columns))))
    return incidence([view_of("payment"), view_of("address")], matrices, NODES)


HOUSEHOLDS = [[2 * k, 2 * k + 1] for k in range(100, 150)]
"""A quarter of all accounts."""
GROUP = np.arange(40, dtype=np.int64)


def test_a_class_shares_a_place() -> None:
    assert means_log_p(log(HOUSEHOLDS, [list(range(40))]), GROUP) == pytest.approx(0.0, abs=1e-9)


def test_a_ring_shares_cards() -> None:
    ring = [[k, k + 1] for k in range(0, 40, 2)]
    assert means_log_p(log(HOUSEHOLDS + ring, []), GROUP) < -40


def test_a_card_shared_with_outsiders_is_not_a_thing_in_common() -> None:
    assert means_log_p(log([[k, 100 + k] for k in range(40)], []), GROUP) == 0.0


def test_few_members_say_nothing() -> None:
    ring = log([list(range(40))], [])
    assert means_log_p(ring, np.arange(LEAST - 1, dtype=np.int64)) == 0.0
    assert means_log_p(ring, np.arange(LEAST, dtype=np.int64)) < 0.0


def test_a_log_without_cards_and_the_whole_log_say_nothing() -> None:
    places = incidence([view_of("address")], [sp.csr_matrix(np.ones((NODES, 1), np.int64))], NODES)
    assert means_log_p(places, GROUP) == 0.0
    assert means_log_p(log(HOUSEHOLDS, []), np.arange(NODES, dtype=np.int64)) == 0.0


@given(st.integers(0, 2**32 - 1))
def test_equals_its_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    at_random = rng.permutation(NODES)
    cards = [sorted(at_random[a:b].tolist()) for a, b in pairwise(np.sort(rng.choice(NODES, 60, replace=False)))]
    members = np.sort(rng.choice(NODES, int(rng.integers(LEAST, 60)), replace=False)).astype(np.int64)
    mine = set(members.tolist())
    sharing = sum(any(i in card and len(mine & set(card)) > 1 for card in cards) for i in mine)
    others = [i for i in range(NODES) if i not in mine]
    base = (sum(any(i in card and len(card) > 1 for card in cards) for i in others) + 1) / (len(others) + 2)
    n = len(mine)
    p = sum(math.comb(n, k) * base**k * (1 - base) ** (n - k) for k in range(sharing, n + 1))
    assert means_log_p(log(cards, []), members) == pytest.approx(np.log(p), abs=1e-6)
