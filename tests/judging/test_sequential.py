"""Looking every day at one level: the shares add up, and the realised rate keeps to what was stated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm

from stillwatch.judging.calibrate import bits, false_discovery_rates
from stillwatch.judging.sequential import Spending

DAYS, LEVEL = 60, 0.01


@given(st.floats(0.1, 1000), st.lists(st.integers(1, 10_000), unique=True, min_size=1, max_size=200))
def test_all_looks_together_spend_less_than_the_whole_whenever_they_are(half_life: float, days: list[int]) -> None:
    spending, before, total = Spending(half_life), 0, 0.0
    for day in sorted(days):
        share = spending.share(day, before)
        assert share > 0
        total, before = total + share, day
    assert total < 1
    assert total == pytest.approx(spending.spent(before), rel=1e-9)


def test_half_is_spent_after_the_half_life_and_all_of_it_never() -> None:
    assert Spending(7).spent(7) == 0.5
    assert [round(Spending(7).share(day, day - 1), 4) for day in (1, 2, 7, 60)] == [0.125, 0.0972, 0.0385, 0.0016]
    assert Spending(7).spent(10**9) < 1


def test_who_looks_once_a_week_has_the_share_of_the_week() -> None:
    daily = sum(Spending().share(day, day - 1) for day in range(8, 15))
    assert Spending().share(14, 7) == pytest.approx(daily)


@pytest.mark.parametrize(("day", "before"), [(0, 0), (3, 3), (2, 5), (1, -1)])
def test_a_look_must_come_after_the_last(day: int, before: int) -> None:
    with pytest.raises(ValueError, match="cannot follow"):
        Spending().share(day, before)


@pytest.mark.parametrize("half_life", [0, -1, float("nan")])
def test_a_half_life_must_be_positive(half_life: float) -> None:
    with pytest.raises(ValueError, match="not positive"):
        Spending(half_life)


def looks(groups: int, own: float, seed: int, effect: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """p of the days so far and p of each day alone, [groups, DAYS]; the share `own` of a day's variance stays."""
    rng = np.random.default_rng(seed)
    shown = rng.standard_normal((groups, DAYS)) * np.sqrt(1 - own) + rng.standard_normal((groups, 1)) * np.sqrt(own)
    t = np.arange(1, DAYS + 1)
    so_far = np.cumsum(shown + effect, axis=1) / t
    return norm.sf(so_far / np.sqrt(own + (1 - own) / t)), norm.sf(shown + effect)


LEVELS = LEVEL * np.array([Spending().share(day, day - 1) for day in range(1, DAYS + 1)])
GROUPS = 30_000
MOST = int(binom.ppf(1 - 1e-6, GROUPS, LEVEL))
"""More null groups than this among `GROUPS` are ever accused once in a million times if the level holds."""


@pytest.mark.parametrize("law", ["fresh", "cumulative", "persistent"])
def test_sixty_looks_accuse_no_more_null_groups_than_one_may_and_naive_ones_do(law: str) -> None:
    so_far, alone = looks(GROUPS, 0.5 if law == "persistent" else 0.0, seed=5)
    p = alone if law == "fresh" else so_far
    assert int((p <= LEVELS).any(axis=1).sum()) <= MOST
    assert int((p <= LEVEL).any(axis=1).sum()) > 2 * MOST


def test_the_product_of_daily_e_values_fails_where_honest_groups_differ_for_good() -> None:
    """Why the looks are not joined by betting: a day's p-value is right, but not given the days before."""
    for own, holds in ((0.0, True), (0.5, False)):
        _, alone = looks(GROUPS, own, seed=6)
        ever = int((np.cumsum(bits(alone), axis=1) >= np.log2(1 / LEVEL)).any(axis=1).sum())
        assert (ever <= MOST) == holds


def test_the_false_discovery_rate_of_all_ever_accused_keeps_to_the_level() -> None:
    """100 logs of 180 honest groups and 20 that harvest; Benjamini-Hochberg at every look."""
    shares, found, naive = [], [], []
    for log in range(100):
        honest, _ = looks(180, 0.5, seed=1000 + log)
        guilty, _ = looks(20, 0.5, seed=5000 + log, effect=4.0)
        adjusted = np.stack([false_discovery_rates(p) for p in np.concatenate([guilty, honest]).T], axis=1)
        accused, at_full_level = (adjusted <= LEVELS).any(axis=1), (adjusted <= LEVEL).any(axis=1)
        shares.append(accused[20:].sum() / max(accused.sum(), 1))
        naive.append(at_full_level[20:].sum() / max(at_full_level.sum(), 1))
        found.append(accused[:20].mean())
    assert np.mean(shares) + 3 * np.std(shares) / 10 <= LEVEL
    assert np.mean(naive) - 2 * np.std(naive) / 10 > LEVEL
    assert np.mean(found) > 0.8
