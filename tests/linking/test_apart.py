"""Two hands in one source: the parts a group falls into, and that one hand does not."""

from __future__ import annotations

from dataclasses import replace
from math import lgamma

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from stillwatch.linking import apart, candidates, groups, merging
from stillwatch.linking.matrix import incidence
from stillwatch.linking.merging import Stocks, merged
from stillwatch.linking.null import null
from stillwatch.linking.pairs import scan_pairs
from stillwatch.linking.strata import Strata
from stillwatch.linking.views import view_of
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


def test_a_small_class_beside_two_large_rings_is_held_to_what_its_own_accounts_say() -> None:
    first, second, third = range(160), range(160, 340), range(340, 400)
    address = exits(first, 8, 320, 1) + exits(second, 8, 360, 2) + exits(third, 8, 80, 3)
    assert parts({"address": address}, range(400)) == [set(second), set(first), set(third)]


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


def test_what_is_rented_says_nothing_of_one_stock() -> None:
    """Two rings behind one proxy network with cards of their own; and one ring, cut anywhere."""
    first, second = np.array(FIRST, np.int64), np.array(range(40, 80), np.int64)
    network, cards = exits(range(80), 8, 60, 1), exits(range(80), 4, 40, 4)
    two = shared({"address": network, "payment": exits(FIRST, 4, 20, 2) + exits(range(40, 80), 4, 20, 3)}).null
    one = shared({"address": network, "payment": cards}).null
    assert not merging.one_stock(two, first, second)
    assert merging.one_stock(one, first, second)


@given(st.integers(1, 400), st.integers(1, 400))
def test_a_pair_needs_what_its_own_accounts_can_say(a: int, b: int) -> None:
    expected = max(np.log(100.0), merging.EACH * 2 * min(a, b))
    assert float(merging.needed(np.array(a), np.array(b))) == pytest.approx(expected)


def test_a_stock_may_be_as_large_as_the_log() -> None:
    """Seven thousand cards of three accounts each are taken for thousands of cards, and cost two parts less for it."""
    count, ring = 66_000, 21_000
    who = np.arange(count)
    card = np.unique(np.where(who < ring, who // 3, who), return_inverse=True)[1]
    held = csr_matrix((np.ones(count, np.int64), (who, card)))
    control = null(incidence([view_of("payment")], [held], count), Strata.none(count), (0.3, 0.03))
    stocks = merging.stocks_of(control, who[:ring], [who[:702], who[702:ring]])
    assert stocks.theta[0] >= 7_000
    assert merging.concentrations(count)[-1] > 0.5 * count
    small = replace(stocks, base=stocks.base / stocks.theta[0] * 2_000, theta=np.array([2_000.0]))
    assert merging.odds(small)[0, 1] < merging.odds(stocks)[0, 1] < 0


@pytest.mark.parametrize("seed", range(4))
def test_joining_goes_on_while_a_pair_is_not_likely_enough_two(seed: int) -> None:
    rng = np.random.default_rng(seed)
    popular, theta = rng.dirichlet(np.full(40, 0.4)), 3.0
    hands = rng.dirichlet(np.full(40, 0.05), 2)
    counts = np.stack([rng.multinomial(rng.integers(20, 60), hands[k % 2]) for k in range(8)]).astype(np.float64)
    one = Stocks(csr_matrix(counts), theta * popular, np.zeros(40, np.int64), np.array([theta]), np.ones(1))
    parts = [({k}, count, 10.0) for k, count in enumerate(counts)]
    while len(parts) > 1:
        gains = {}
        for i, (_, x, a) in enumerate(parts):
            for j, (_, y, b) in enumerate(parts[:i]):
                odds = _whole(x + y, popular, theta) - _whole(x, popular, theta) - _whole(y, popular, theta)
                gains[odds + float(merging.needed(np.array(a), np.array(b)))] = (i, j)
        if max(gains) <= 0:
            break
        i, j = gains[max(gains)]
        both = (parts[i][0] | parts[j][0], parts[i][1] + parts[j][1], parts[i][2] + parts[j][2])
        parts = [part for k, part in enumerate(parts) if k not in (i, j)] + [both]
    label = merging.joined(one, np.full(8, 10))
    found = {frozenset(np.flatnonzero(label == k).tolist()) for k in np.unique(label)}
    assert found == {frozenset(mine) for mine, _, _ in parts}
    assert found == {frozenset({0, 2, 4, 6}), frozenset({1, 3, 5, 7})}


counts = st.lists(st.integers(0, 12), min_size=6, max_size=6).map(lambda xs: np.array(xs, np.float64))


HALF = np.array([0.5])


def _whole(count: np.ndarray, popular: np.ndarray, theta: float) -> float:
    out = lgamma(theta) - lgamma(theta + count.sum())
    return out + sum(lgamma(theta * p + c) - lgamma(theta * p) for c, p in zip(count, popular, strict=True))


@given(counts, counts, st.sampled_from([0.5, 10.0, 1_000.0]))
def test_the_gain_is_the_ratio_of_likelihoods(x: np.ndarray, y: np.ndarray, theta: float) -> None:
    popular = np.array([0.3, 0.25, 0.2, 0.1, 0.1, 0.05])
    stocks = Stocks(csr_matrix(np.stack([x, y])), theta * popular, np.zeros(6, np.int64), np.array([theta]), HALF)
    slow = _whole(x + y, popular, theta) - _whole(x, popular, theta) - _whole(y, popular, theta)
    parts, gain = merged(stocks)
    assert (parts[0] == parts[1]) == (slow > 0) or abs(slow) < 1e-6
    if parts[0] != parts[1]:
        assert gain[0, 1] == pytest.approx(0.5 * slow, abs=1e-6)
    assert merging.log_likelihood(x, theta * popular, theta) == pytest.approx(_whole(x, popular, theta), abs=1e-6)


def _greedy(counts: np.ndarray, popular: np.ndarray, theta: float) -> list[set[int]]:
    """By hand: put the pair with the largest gain together until none has any."""
    parts = [({k}, count) for k, count in enumerate(counts)]
    while len(parts) > 1:
        gains = {
            (-(_whole(x + y, popular, theta) - _whole(x, popular, theta) - _whole(y, popular, theta))): (i, j)
            for i, (_, x) in enumerate(parts)
            for j, (_, y) in enumerate(parts[:i])
        }
        i, j = gains[min(gains)]
        if min(gains) >= 0:
            break
        new = (parts[i][0] | parts[j][0], parts[i][1] + parts[j][1])
        parts = [part for k, part in enumerate(parts) if k not in (i, j)] + [new]
    return [members for members, _ in parts]


@pytest.mark.parametrize("seed", range(6))
def test_communities_are_put_together_in_the_order_of_their_gains(seed: int) -> None:
    rng = np.random.default_rng(seed)
    popular = rng.dirichlet(np.full(40, 0.4))
    hands = rng.dirichlet(np.full(40, 0.05), 3)
    counts = np.stack([rng.multinomial(rng.integers(5, 30), hands[k % 3]) for k in range(15)]).astype(np.float64)
    theta = 3.0
    one = Stocks(csr_matrix(counts), theta * popular, np.zeros(40, np.int64), np.array([theta]), np.ones(1))
    parts, gain = merged(one)
    slow = _greedy(counts, popular, theta)
    assert len(slow) > 1
    assert [set(np.flatnonzero(parts == k).tolist()) for k in range(len(gain))] == slow
    for k, mine in enumerate(slow):
        for other, theirs in enumerate(slow[:k]):
            x, y = counts[list(mine)].sum(axis=0), counts[list(theirs)].sum(axis=0)
            apart_ = _whole(x + y, popular, theta) - _whole(x, popular, theta) - _whole(y, popular, theta)
            assert gain[k, other] == pytest.approx(apart_, abs=1e-6)
