"""Judging a large operator holds a part of its matched groups at a time, and says the same as all at once."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from stillwatch.judging import families, matched
from stillwatch.judging.matched import Strata, groups_of, in_parts
from tests.signals.random_world import world


def drawn_at_once(candidates: np.ndarray, count: int, groups: int, seed: int) -> np.ndarray:
    """`_choose` as it would be written without thought of memory."""
    keys = np.random.default_rng(seed).random((groups, len(candidates)))
    return candidates[np.argpartition(keys, count - 1, axis=1)[:, :count]]


@pytest.mark.parametrize("held", [1, 50, 1 << 23])
def test_drawing_in_parts_draws_the_same(held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matched, "DRAWS_AT_ONCE", held)
    candidates = np.arange(100, 140)
    found = matched._choose(candidates, 7, 30, np.random.default_rng(3))
    assert np.array_equal(found, drawn_at_once(candidates, 7, 30, 3))


def test_groups_in_parts_are_the_groups() -> None:
    rng = np.random.default_rng(1)
    drawn = [[np.sort(rng.choice(50, size, replace=False)) for size in rng.integers(1, 9, 20)] for _ in range(3)]
    whole, parts = groups_of(drawn, 50), list(in_parts(drawn, 50, 30))
    assert len(parts) > 5
    assert max(part.members.nnz for part in parts) <= 30
    rows = [part.members[k].indices.tolist() for part in parts for k in range(len(part))]
    assert rows == [whole.members[k].indices.tolist() for k in range(len(whole))]
    assert list(in_parts([], 50, 30)) == []


@pytest.mark.parametrize("seed", [0, 4])
def test_findings_do_not_depend_on_the_parts(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from stillwatch.signals import all_signals

    people = world(seed).population
    strata = Strata.of(people, np.ones(len(people), bool))
    operators = [np.arange(k, k + 6) for k in range(0, 18, 6)]

    def found() -> families.Finding:
        return families.several(people, operators, all_signals(), strata, matched_groups=40, seed=seed)

    whole = found()
    monkeypatch.setattr(families, "HELD_AT_ONCE", 25)
    parts = found()
    for name in ("statistic", "null", "bits", "dimension_p", "dimension_bits"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))


def test_drawing_for_a_large_operator_fits() -> None:
    size, groups, count = 40_000, 2_000, 5_000
    strata = Strata(np.zeros((1, size), np.int64), np.ones(size, bool))
    tracemalloc.start()
    found = strata.draw(np.arange(count), groups, np.random.default_rng(0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == groups
    assert peak < 6 * groups * count * 4, "several copies of what is drawn, but never all the random numbers"
    assert groups * (size - count) * 16 > 10 * groups * count * 4
