"""Tests are exact: against every outcome of the draw, and at their level over many draws."""

from __future__ import annotations

import itertools
from math import comb

import numpy as np
import pytest
from scipy import stats

from stillwatch.forensics.data.nulls import controls, interval, paired, pooled, upper_tail


def by_hand(in_corpus: list[list[bool]], served: tuple[int, ...]) -> tuple[int, float]:
    """(statistic, p) of a draw, from all draws: which answer of each request was served."""
    split = [k for k, answers in enumerate(in_corpus) if 0 < sum(answers) < len(answers)]

    def statistic(draw: tuple[int, ...]) -> int:
        return sum(in_corpus[k][draw[k]] for k in split)

    seen = statistic(served)
    everything = list(itertools.product(*(range(len(answers)) for answers in in_corpus)))
    return seen, sum(statistic(draw) >= seen for draw in everything) / len(everything)


@pytest.mark.parametrize("seed", range(25))
def test_paired_is_what_all_draws_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    in_corpus = [list(map(bool, rng.random(rng.integers(2, 5)) < 0.5)) for _ in range(rng.integers(1, 7))]
    draw = tuple(int(rng.integers(len(answers))) for answers in in_corpus)
    served = np.array([answers[k] for answers, k in zip(in_corpus, draw, strict=True)])
    others = np.array([sum(answers) for answers in in_corpus]) - served
    test = paired(served, others, np.array([len(answers) - 1 for answers in in_corpus]), tests=3)
    seen, p = by_hand(in_corpus, draw)
    assert test.observed == seen
    assert test.p_value == pytest.approx(p)
    assert test.adjusted == pytest.approx(min(1, 3 * p))
    assert test.exact


@pytest.mark.parametrize("seed", range(10))
def test_the_upper_tail_is_that_of_all_outcomes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    chance = rng.choice([0.25, 1 / 3, 0.5, 2 / 3], rng.integers(0, 8))
    for observed in range(len(chance) + 1):
        p = 0.0
        for outcome in itertools.product((0, 1), repeat=len(chance)):
            if sum(outcome) >= observed:
                p += float(np.prod(np.where(outcome, chance, 1 - chance)))
        assert upper_tail(chance, observed) == pytest.approx(p)


def test_a_tail_far_out_is_not_rounded_to_nothing() -> None:
    assert upper_tail(np.full(900, 0.5), 900) == pytest.approx(2.0**-900)
    mixed = np.concatenate([np.full(300, 0.5), np.full(200, 1 / 3)])
    assert np.log10(upper_tail(mixed, 500)) == pytest.approx(300 * np.log10(0.5) + 200 * np.log10(1 / 3), rel=1e-9)


def test_pooled_is_what_all_divisions_say() -> None:
    for of_served, of_unserved, served, unserved in [(4, 3, 3, 0), (5, 2, 2, 1), (3, 5, 3, 1), (2, 2, 0, 0)]:
        everything, found = of_served + of_unserved, served + unserved
        hits = [True] * found + [False] * (everything - found)
        divisions = list(itertools.combinations(range(everything), of_served))
        p = sum(sum(hits[k] for k in division) >= served for division in divisions) / len(divisions)
        assert pooled(served, of_served, unserved, of_unserved).p_value == pytest.approx(p)
    assert pooled(0, 0, 0, 0).p_value == 1


@pytest.mark.parametrize("level", [0.05, 0.01])
def test_the_realised_rate_is_within_the_binomial_interval(level: float) -> None:
    """A corpus that knows nothing of the draw, made to be hard: its rows hang together in clumps."""
    rng = np.random.default_rng(5)
    runs, rejected, allowed = 4_000, 0, 0.0
    for _ in range(runs):
        clumps = np.repeat(rng.random(20) < 0.5, 5)  # what stands in the corpus comes in clumps of five requests
        one, other = clumps & (rng.random(100) < 0.7), ~clumps & (rng.random(100) < 0.7)
        coin = rng.random(100) < 0.5
        served = np.where(coin, one, other)
        test = paired(served, np.where(coin, other, one).astype(np.int64), np.ones(100, np.int64))
        assert test.p_value is not None
        rejected += test.p_value <= level
        # the level that can be reached: p-values are discrete
        tails = stats.binom.sf(np.arange(-1, test.n), test.n, 0.5)
        allowed += float(tails[tails <= level].max(initial=0))
    low, high = interval(rejected, runs, 0.999)
    assert low <= allowed / runs <= high
    assert rejected / runs <= level + 3.3 * np.sqrt(level / runs)


def test_a_rank_among_controls_is_no_exact_test() -> None:
    test = controls(0.2, 100, [(1, 100), (0, 50), (30, 100)])
    assert (test.observed, test.p_value, test.exact) == (1, 2 / 4, False)
    assert controls(0.5, 100, [(0, 10)] * 9).p_value == pytest.approx(0.1)


def test_intervals_cover() -> None:
    assert interval(0, 0) == (0, 1)
    assert interval(0, 10)[0] == 0
    assert interval(10, 10)[1] == 1
    for of, share in ((20, 0.1), (60, 0.5), (200, 0.02)):
        covered = 0.0
        for found in range(of + 1):
            low, high = interval(found, of)
            if low <= share <= high:
                covered += comb(of, found) * share**found * (1 - share) ** (of - found)
        assert covered >= 0.95
