"""Shares by cluster, and exact tails, against sums written from their definitions."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.linking.mixture import PULL, STEPS, log_lower, log_upper, posterior, told_apart


def chance(at_least: int, whole: int, good: int, drawn: int) -> float:
    ways = sum(math.comb(good, k) * math.comb(whole - good, drawn - k) for k in range(max(at_least, 0), drawn + 1))
    return ways / math.comb(whole, drawn)


@settings(deadline=None)
@given(st.data())
def test_tails_are_the_sums_of_their_terms(data: st.DataObject) -> None:
    whole = data.draw(st.integers(1, 60))
    good, drawn = data.draw(st.integers(0, whole)), data.draw(st.integers(0, whole))
    x = data.draw(st.integers(0, drawn))
    upper, lower = (np.exp(f(np.array([x]), whole, good, np.array([drawn]))[0]) for f in (log_upper, log_lower))
    assert upper == pytest.approx(chance(x, whole, good, drawn), abs=1e-12)
    assert lower == pytest.approx(1.0 - chance(x + 1, whole, good, drawn), abs=1e-9)


def test_a_tail_far_beyond_a_float_stays_finite() -> None:
    """Two thousand of two thousand good ones among the first: 1 / C(4000, 2000)."""
    wanted = -math.log(math.comb(4000, 2000))
    assert log_upper(np.array([2000]), 4000, 2000, np.array([2000]))[0] == pytest.approx(wanted, rel=1e-9)


def naive_apart(marked: list[bool], value: list[int]) -> float:
    sizes = {v: value.count(v) for v in set(value)}
    hits = {v: sum(m for m, w in zip(marked, value, strict=True) if w == v) for v in sizes}
    if len(sizes) < 2:
        return 0.0
    order = sorted(sizes, key=lambda v: (-hits[v] / sizes[v], -sizes[v], v))
    best = 1.0
    for k in range(1, len(order)):
        inside, found = sum(sizes[v] for v in order[:k]), sum(hits[v] for v in order[:k])
        p = chance(found, len(value), sum(marked), inside) * math.comb(len(order), k) * (len(order) - 1)
        best = min(best, p)
    return math.log(best)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1, max_size=40))
def test_what_tells_apart_is_the_union_bound_over_choices_of_values(units: list[tuple[bool, int]]) -> None:
    marked, value = [m for m, _ in units], [v for _, v in units]
    assert told_apart(np.array(marked), np.array(value)) == pytest.approx(naive_apart(marked, value), abs=1e-6)


def test_the_bound_holds_over_every_deal_of_a_small_account() -> None:
    """All ways to mark 4 of 9 requests of 3 customers: so small a value comes up no oftener than it says."""
    value = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])
    found = []
    for chosen in combinations(range(9), 4):
        marked = np.zeros(9, dtype=bool)
        marked[list(chosen)] = True
        found.append(told_apart(marked, value))
    for level in sorted(set(found)):
        assert np.mean(np.array(found) <= level) <= math.exp(level) + 1e-9


def naive_posterior(ratio: list[float], cluster: list[int], start: float) -> list[float]:
    share = min(max(start, 0.02), 0.98)
    shares = dict.fromkeys(cluster, share)
    out: list[float] = []
    for _ in range(STEPS):
        out = []
        for r, c in zip(ratio, cluster, strict=True):
            odds = shares[c] / (1 - shares[c]) * math.exp(r)
            out.append(odds / (1 + odds))
        share = min(max(sum(out) / len(out), 1e-4), 1 - 1e-4)
        for c in shares:
            mine = [p for p, d in zip(out, cluster, strict=True) if d == c]
            shares[c] = min(max((sum(mine) + PULL * share) / (len(mine) + PULL), 1e-6), 1 - 1e-6)
    return out


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(-8, 8), st.integers(0, 3)), min_size=1, max_size=30), st.floats(0, 1),
    st.permutations(range(4)),
)  # fmt: skip
def test_posteriors_are_the_slow_mixture_s_whatever_clusters_are_called(
    units: list[tuple[float, int]], start: float, names: list[int]
) -> None:
    ratio, cluster = [r for r, _ in units], [c for _, c in units]
    fast = posterior(np.array(ratio), np.array(cluster), start)
    assert fast == pytest.approx(naive_posterior(ratio, cluster, start), abs=1e-6)
    assert posterior(np.array(ratio), np.array([names[c] for c in cluster]), start) == pytest.approx(fast, abs=1e-9)


def test_a_customer_with_marks_takes_its_unmarked_requests_along() -> None:
    """One customer's requests are marked one time in three, another's never, and all else says nothing."""
    ratio = np.array([6.0, -0.2, -0.2] * 10 + [-0.2] * 60)
    p = posterior(ratio, np.repeat([0, 1], [30, 60]), 10 / 90)
    assert (p[:30] > 0.5).all()
    assert (p[30:] < 0.05).all()
