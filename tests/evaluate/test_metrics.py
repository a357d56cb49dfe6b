from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from stillwatch.evaluate.metrics import adjusted_rand, b_cubed, clopper_pearson, pair_scores, strangers

partitions = st.integers(0, 30).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 5), min_size=n, max_size=n), st.lists(st.integers(0, 5), min_size=n, max_size=n)
    )
)


def slow_b_cubed(found: list[int], true: list[int], of: list[bool]) -> tuple[float, float]:
    precision, recall = [], []
    for k in range(len(found)):
        if not of[k]:
            continue
        group = [j for j in range(len(found)) if found[j] == found[k]]
        operator = [j for j in range(len(found)) if true[j] == true[k]]
        both = set(group) & set(operator)
        precision.append(len(both) / len(group))
        recall.append(len(both) / len(operator))
    return sum(precision) / len(precision), sum(recall) / len(recall)


def slow_strangers(found: list[int], true: list[int], least: int) -> list[bool]:
    out = [False] * len(found)
    for group in set(found):
        members = [k for k in range(len(found)) if found[k] == group]
        if len(members) < least:
            continue
        sizes = {operator: sum(true[k] == operator for k in members) for operator in sorted({true[k] for k in members})}
        owner = max(sizes, key=lambda operator: sizes[operator])
        for k in members:
            out[k] = true[k] != owner or sizes[owner] < 2
    return out


@given(partitions)
def test_adjusted_rand_is_scikit_learns(both: tuple[list[int], list[int]]) -> None:
    found, true = both
    if found:
        assert adjusted_rand(found, true) == pytest.approx(adjusted_rand_score(true, found))
    else:
        assert math.isnan(adjusted_rand(found, true))


@given(partitions)
def test_b_cubed_is_its_definition(both: tuple[list[int], list[int]]) -> None:
    found, true = both
    of = [(7 * k + t) % 3 != 0 for k, t in enumerate(true)]
    if any(of):
        assert b_cubed(found, true, np.array(of)) == pytest.approx(slow_b_cubed(found, true, of))
    else:
        assert all(math.isnan(value) for value in b_cubed(found, true, np.array(of, dtype=bool)))


@given(partitions)
def test_pairs_are_counted_one_by_one(both: tuple[list[int], list[int]]) -> None:
    found, true = both
    pairs = list(combinations(range(len(found)), 2))
    put = [(i, j) for i, j in pairs if found[i] == found[j]]
    belong = [(i, j) for i, j in pairs if true[i] == true[j]]
    right = len(set(put) & set(belong))
    expected = (right / len(put) if put else math.nan, right / len(belong) if belong else math.nan)
    assert pair_scores(found, true) == pytest.approx(expected, nan_ok=True)


@given(partitions, st.integers(1, 9))
def test_strangers_are_their_definition(both: tuple[list[int], list[int]], least: int) -> None:
    found, true = both
    assert strangers(found, true, least).tolist() == slow_strangers(found, true, least)


@given(partitions, st.permutations(range(6)), st.permutations(range(6)))
def test_names_of_groups_do_not_matter(both: tuple[list[int], list[int]], p: list[int], q: list[int]) -> None:
    found, true = both
    other_found, other_true = [p[g] for g in found], [q[g] for g in true]
    assert adjusted_rand(found, true) == pytest.approx(adjusted_rand(other_found, other_true), nan_ok=True)
    assert b_cubed(found, true) == pytest.approx(b_cubed(other_found, other_true), nan_ok=True)
    assert pair_scores(found, true) == pytest.approx(pair_scores(other_found, other_true), nan_ok=True)


def at_least(hits: int, of: int, rate: float) -> float:
    return sum(math.comb(of, k) * rate**k * (1 - rate) ** (of - k) for k in range(hits, of + 1))


@pytest.mark.parametrize(("hits", "of"), [(1, 10), (5, 10), (9, 10), (3, 200), (40, 60)])
def test_the_interval_leaves_2_5_percent_on_either_side(hits: int, of: int) -> None:
    low, high = clopper_pearson(hits, of)
    assert at_least(hits, of, low) == pytest.approx(0.025, abs=1e-9)
    assert 1 - at_least(hits + 1, of, high) == pytest.approx(0.025, abs=1e-9)


def test_the_interval_at_its_ends() -> None:
    assert clopper_pearson(0, 0) == (0.0, 1.0)
    low, high = clopper_pearson(0, 1000)
    assert low == 0
    assert high == pytest.approx(1 - 0.025 ** (1 / 1000))
    assert clopper_pearson(10, 10)[1] == 1
    with pytest.raises(ValueError, match="not a rate"):
        clopper_pearson(3, 2)
