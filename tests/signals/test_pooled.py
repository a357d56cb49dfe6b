"""What members hold together, counted group by group and token by token, against sets and counters."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.population import Groups, Population
from stillwatch.signals import _pooled, all_signals
from tests.signals.builders import groups
from tests.signals.random_world import SEEDS, world

WAYS = {"walk": 2.0, "across": 0.0}
"""Share of the accounts from which a group is large."""


def tokens(of: Population, view: str, members: list[str]) -> Counter[str]:
    """What the members hold of a view."""
    held: Counter[str] = Counter()
    for row in of.traits_table.to_pylist():  # type: ignore[union-attr]
        if row["view"] == view and row["account_id"] in members:
            held[row["token"]] += row["n"]
    return held


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("view", ["item_sample", "lead_skeleton"])
def test_distinct_tokens_and_squares(way: str, seed: int, view: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pooled, "LARGE", WAYS[way])
    here = world(seed)
    asked = groups(here.population, here.groups)
    held = [tokens(here.population, view, members) for members in here.groups]
    assert _pooled.distinct(here.population, asked, view).tolist() == [len(counts) for counts in held]
    squares = [sum(n * n for n in counts.values()) for counts in held]
    assert _pooled.squares(here.population, asked, view).tolist() == squares


@pytest.mark.parametrize("way", WAYS)
@given(
    cells=st.lists(st.lists(st.floats(-4, 4, width=16), min_size=5, max_size=5), min_size=6, max_size=6),
    lists=st.lists(st.lists(st.integers(0, 5), unique=True), min_size=1, max_size=4),
)
def test_squares_of_sums(way: str, cells: list[list[float]], lists: list[list[int]]) -> None:
    use = np.array(cells)
    expected = [float((use[members].sum(axis=0) ** 2).sum()) if members else 0.0 for members in lists]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_pooled, "LARGE", WAYS[way])
        patch.setattr(_pooled, "FEW", 0)
        asked = Groups.of([np.array(members, dtype=np.int64) for members in lists], 6)
        found = _pooled.squares_of(world(0).population, asked, "test", sp.csr_matrix(use))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_counts_too_large_for_small_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pooled, "FEW", 0)
    asked = Groups.of([np.arange(2)], 2)
    use = sp.csr_matrix(np.array([[2.0**31], [3.0]]))
    assert _pooled.squares_of(world(0).population, asked, "test", use).tolist() == [(2.0**31 + 3) ** 2]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("signal", all_signals(), ids=lambda signal: signal.name)
def test_both_ways_give_every_signal_the_same(signal, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    here = world(seed)
    found = {}
    for way, share in WAYS.items():
        monkeypatch.setattr(_pooled, "LARGE", share)
        found[way] = signal.statistics(here.population, groups(here.population, here.groups))
    np.testing.assert_allclose(found["walk"], found["across"], rtol=1e-12, atol=1e-12)


def test_kept_for_one_population_only() -> None:
    asked = Groups.of([np.arange(3)], 25)
    first, second = world(0).population, world(1).population
    assert asked.keep(first, "name", lambda: 1) == 1
    assert asked.keep(first, "name", lambda: 2) == 1
    assert asked.keep(second, "name", lambda: 3) == 3
