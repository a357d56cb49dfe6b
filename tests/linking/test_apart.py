"""Two hands in one source: the parts a group falls into, and that one hand does not."""

from __future__ import annotations

from math import lgamma

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.linking import apart, candidates, groups
from stillwatch.linking.pairs import scan_pairs
from tests.linking.test_hands import NODES, exits, shared


def group_of(nodes: range | list[int]) -> groups.Group:
    members = np.array(sorted(nodes), np.int64)
    return groups.Group(members, np.full(len(members), -9.0), np.ones(len(members), dtype=bool), -50.0)


def hands_of(holders: dict[str, list[list[int]]], nodes: range | list[int]) -> list[groups.Group]:
    control = shared(holders).null
    orders = candidates.orders([f"a{k}" for k in range(NODES)], 4, 0)
    weak = scan_pairs(control, candidates.neighbours(control, orders), -4.0)
    return apart.apart(control, weak, None, group_of(nodes), 0)


def parts(holders: dict[str, list[list[int]]], nodes: range | list[int]) -> list[set[int]]:
    return [set(group.members.tolist()) for group in hands_of(holders, nodes)]


FIRST, SECOND = range(40), range(40, 90)
CARDS = [[k, k + 1, k + 2] for k in range(0, 88, 3)]


def test_two_networks_that_nobody_shares_are_two_hands() -> None:
    address = exits(FIRST, 8, 40, 1) + exits(SECOND, 8, 40, 2)
    assert parts({"address": address}, range(90)) == [set(SECOND), set(FIRST)]


def test_one_network_is_one_hand() -> None:
    assert parts({"address": exits(range(90), 8, 80, 1)}, range(90)) == [set(range(90))]


def test_thirty_cards_with_nothing_in_common_stay_together() -> None:
    assert parts({"payment": CARDS}, range(90)) == [set(range(90))]


def test_a_few_strangers_are_no_hand_of_their_own() -> None:
    address = exits(FIRST, 8, 40, 1) + exits(range(40, 40 + apart.MANY - 1), 8, 40, 2)
    assert len(parts({"address": address}, range(40 + apart.MANY - 1))) == 1


def test_nobody_is_lost_and_evidence_goes_along() -> None:
    group = group_of([*range(90), NODES - 1])
    hands = hands_of({"address": exits(FIRST, 8, 40, 1) + exits(SECOND, 8, 40, 2)}, [*range(90), NODES - 1])
    assert sorted(np.concatenate([hand.members for hand in hands]).tolist()) == group.members.tolist()
    assert all(hand.hand_log_p == group.hand_log_p and len(hand.proven) == len(hand.members) for hand in hands)


counts = st.lists(st.integers(0, 12), min_size=6, max_size=6).map(lambda xs: np.array(xs, np.float64))


def _whole(count: np.ndarray, popular: np.ndarray, theta: float) -> float:
    out = lgamma(theta) - lgamma(theta + count.sum())
    return out + sum(lgamma(theta * p + c) - lgamma(theta * p) for c, p in zip(count, popular, strict=True))


@given(counts, counts, st.sampled_from([0.5, 10.0, 1_000.0]))
def test_the_gain_is_the_ratio_of_likelihoods(x: np.ndarray, y: np.ndarray, theta: float) -> None:
    popular = np.array([0.3, 0.25, 0.2, 0.1, 0.1, 0.05])
    stock = apart.Stock(np.stack([x, y]), theta * popular, theta, 0.5)
    slow = _whole(x + y, popular, theta) - _whole(x, popular, theta) - _whole(y, popular, theta)
    assert stock.gain(x, y) == pytest.approx(0.5 * slow, abs=1e-6)
    assert apart.log_likelihood(x, theta * popular, theta) == pytest.approx(_whole(x, popular, theta), abs=1e-6)
