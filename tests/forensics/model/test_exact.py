"""Tails and tests are exact: against fractions, and over many keys at the stated rates."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from stillwatch.forensics.model import canaries, exact, twin_test
from stillwatch.forensics.model.prf import derive
from tests.forensics.model import naive

SIGN = {-1: Fraction(1, 2), 1: Fraction(1, 2)}
weights = st.lists(st.integers(-5, 5).filter(bool), min_size=1, max_size=7)


def log(value: Fraction) -> float:
    return math.log(value.numerator) - math.log(value.denominator)


def counted(values: list[int]) -> tuple[list[int], list[int]]:
    kinds = sorted(set(values))
    return kinds, [values.count(kind) for kind in kinds]


@settings(max_examples=60, deadline=None)
@given(weights, st.integers(0, 10**6))
def test_signs_agree_with_fractions(values: list[int], pick: int) -> None:
    reachable = sorted({sum(s * v for s, v in zip(signs, values, strict=True)) for signs in _signs(len(values))})
    observed = reachable[pick % len(reachable)]
    expected = naive.tail(SIGN, values, observed)
    assert exact.log_tail(exact.sign(), *counted(values), observed) == pytest.approx(log(expected), abs=1e-9)


def _signs(n: int) -> list[list[int]]:
    return [[1 if code >> bit & 1 else -1 for bit in range(n)] for code in range(2**n)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.integers(1, 9), st.integers(0, 10**6))
def test_greens_agree_with_fractions(values: list[int], tenths: int, pick: int) -> None:
    share = Fraction(tenths, 10)
    observed = pick % (sum(values) + 1)
    expected = naive.tail({0: 1 - share, 1: share}, values, observed)
    found = exact.log_tail(exact.bernoulli(float(share)), *counted(values), observed)
    assert found == pytest.approx(log(expected), abs=1e-9)


@pytest.mark.parametrize("observed", [240, 300, 500, 900, 1000])
def test_far_tails_agree_with_scipy(observed: int) -> None:
    expected = stats.binom.logsf(observed - 1, 1000, 0.25)
    if math.isfinite(expected):
        assert exact.log_tail(exact.bernoulli(0.25), [1], [1000], observed) == pytest.approx(expected, rel=1e-9)
    else:  # beyond what scipy can: the largest term bounds the tail from below, twice it from above
        term = math.lgamma(1001) - math.lgamma(observed + 1) - math.lgamma(1001 - observed)
        term += observed * math.log(0.25) + (1000 - observed) * math.log(0.75)
        assert term - 1e-6 <= exact.log_tail(exact.bernoulli(0.25), [1], [1000], observed) <= term + math.log(2)


@pytest.mark.parametrize("observed", [1000, 1600, 2200, 4000])
def test_geometric_sums_agree_with_scipy(observed: int) -> None:
    ratio = math.exp(-1 / 8)
    expected = stats.nbinom.logsf(observed - 1, 200, 1 - ratio)
    assert exact.log_tail(exact.geometric(ratio), [1], [200], observed) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_uniform_sums_agree_with_fractions() -> None:
    pmf = {value: Fraction(1, 7) for value in range(7)}
    for observed in (-20, -12, -3, 0):
        expected = naive.tail(pmf, [-1] * 4, observed)
        assert exact.log_tail(exact.uniform(6), [-1], [4], observed) == pytest.approx(log(expected), abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=9))
@example([32.0, 5e-324])
@example([5e-324, 5e-324, -5e-324])
@example([1.7e308, -1.7e308, 1e-300, 1.0])
def test_sign_flip_agrees_with_all_flips(differences: list[float]) -> None:
    values = np.array(differences)
    whole = twin_test.levels(values)
    assert (np.sign(whole) == np.sign(values)).all()
    assert (np.abs(twin_test.levels(-values)) == np.abs(whole)).all()
    found = twin_test.sign_flip(values, flips=9)
    assert found.log_p == pytest.approx(log(naive.sign_flip(whole.tolist())), abs=1e-9)


def test_rank_test_agrees_with_all_choices() -> None:
    chance = np.random.default_rng(3)
    for _ in range(20):
        scores = chance.integers(0, 6, (3, 5)).astype(float)
        chosen = chance.integers(0, 5, 3)
        expected = naive.rank_test(scores.tolist(), chosen.tolist())
        assert canaries.ranks(scores, chosen).log_p == pytest.approx(log(expected), abs=1e-9)


@pytest.mark.parametrize("make", ["heavy tails", "few values"])
def test_sign_flip_keeps_its_rate(make: str) -> None:
    """Whatever the suspect's differences are, random coins reject at the stated rate or less."""
    chance = np.random.default_rng(5)
    sizes = chance.standard_t(1.5, 120) if make == "heavy tails" else chance.integers(1, 4, 120).astype(float)
    whole = np.abs(twin_test.levels(sizes))
    kinds, counts = np.unique(whole[whole > 0], return_counts=True)
    sums = (chance.integers(0, 2, (4000, len(whole))) * 2 - 1) @ whole
    _rates_hold({int(s): exact.log_tail(exact.sign(), kinds, counts, int(s)) for s in _near(sums)}, sums)


def test_ranks_keep_their_rate() -> None:
    chance = np.random.default_rng(6)
    sums = -chance.integers(0, 50, (4000, 8)).sum(axis=1)
    _rates_hold({int(s): exact.log_tail(exact.uniform(49), [-1], [8], int(s)) for s in _near(sums)}, sums)


@pytest.mark.parametrize("tied", [False, True])
def test_canaries_keep_their_rate_over_random_keys(tied: bool) -> None:
    """A suspect with firm likings of its own, the same for all keys: 1,000 keys that served nothing to it."""
    chance = np.random.default_rng(7)
    scores = chance.standard_t(2, (12, 40)) + chance.normal(0, 5, (12, 1))
    if tied:
        scores = np.round(scores)
    places = [f"place {n}" for n in range(12)]
    p_values = []
    for number in range(1000):
        secret = derive(b"random key", str(number))
        chosen = np.array([canaries.served(secret, place, 40) for place in places])
        p_values.append(math.exp(canaries.ranks(scores, chosen).log_p))
    for level in (0.05, 0.01):
        low, high = stats.binom.ppf([0.0005, 0.9995], 1000, level)
        rejected = sum(p <= level for p in p_values)
        assert rejected <= high
        assert tied or rejected >= low  # ties count against us, so there it may reject less


def _near(sums: np.ndarray) -> np.ndarray:
    """The sums around the levels that are tested: the only ones whose tails are needed."""
    return np.unique(np.concatenate([_around(sums, 0.05), _around(sums, 0.01)]))


def _around(sums: np.ndarray, level: float) -> np.ndarray:
    kinds = np.unique(sums)
    place = np.searchsorted(kinds, np.quantile(sums, 1 - level))
    return kinds[max(0, place - 12) : place + 13]


def _rates_hold(log_p: dict[int, float], sums: np.ndarray) -> None:
    for level in (0.05, 0.01):
        critical = min(s for s, value in log_p.items() if value <= math.log(level))
        assert any(value > math.log(level) for s, value in log_p.items() if s < critical), "look further out"
        true = math.exp(log_p[critical])
        assert true <= level
        low, high = stats.binom.ppf([0.0005, 0.9995], len(sums), true)
        assert low <= (sums >= critical).sum() <= high
