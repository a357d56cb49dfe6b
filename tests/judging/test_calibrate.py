"""Tail probabilities, bits and false-discovery rates against slow twins and known laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from stillwatch.judging.calibrate import P_FLOOR, bits, false_discovery_rates, tail_p


def rank_twin(x: float, null: list[float]) -> float:
    """Phipson and Smyth (2010): never zero."""
    return (1 + sum(value >= x for value in null)) / (1 + len(null))


def bh_twin(p: list[float]) -> list[float]:
    m = len(p)
    order = sorted(range(m), key=lambda i: p[i])
    out = [0.0] * m
    best = 1.0
    for rank in range(m, 0, -1):
        i = order[rank - 1]
        best = min(best, p[i] * m / rank)
        out[i] = best
    return out


@given(
    st.lists(st.floats(-50, 50), min_size=19, max_size=80),
    st.floats(-60, 60),
)
def test_inside_the_null_p_is_the_rank(null: list[float], x: float) -> None:
    x = min(x, max(null))
    found = tail_p(np.array([x]), np.array([null]), 0.1)[0]
    assert found == pytest.approx(rank_twin(x, null))


@given(st.lists(st.floats(-50, 50), min_size=19, max_size=80), st.floats(0, 1e6), st.floats(0, 1e6))
def test_beyond_the_null_p_falls_with_distance_and_never_to_zero(null: list[float], near: float, far: float) -> None:
    near, far = sorted([near, far])
    top = max(null)
    p = tail_p(np.array([top + 1e-6 + near, top + 1e-6 + far]), np.array([null]), 0.1)
    assert P_FLOOR <= p[1] <= p[0] <= 1 / (1 + len(null)) + 1e-12


def test_too_few_answers_or_none_is_no_p_value() -> None:
    null = np.full((3, 40), np.nan)
    null[0, :18] = 1.0
    null[1, :19] = 1.0
    assert np.isnan(tail_p(np.array([2.0, np.nan, 2.0]), null, 0.1)).all()
    assert np.isfinite(tail_p(np.array([0.0, 2.0, 2.0]), null, 0.1))[1]


@pytest.mark.parametrize(
    ("name", "law"),
    [
        ("normal", stats.norm()),
        ("exponential", stats.expon()),
        ("student 3", stats.t(3)),
        ("lognormal", stats.lognorm(1)),
    ],
)
def test_tail_is_not_anti_conservative(name: str, law: stats.rv_continuous) -> None:
    """Under the null P(p <= a) <= about a, even far beyond what 199 groups can rank."""
    rng = np.random.default_rng(5)
    trials = 40_000
    x = law.rvs(size=trials, random_state=rng)
    null = law.rvs(size=(trials, 199), random_state=rng)
    p = tail_p(x, null, 1e-6)
    for level in (0.05, 0.005, 0.001):
        bound = stats.binom.ppf(0.999, trials, level) / trials
        # a shape fitted to 40 excesses is not exact: at 1e-3 a heavy tail may reach 1.6 times its level
        slack = 1.0 if level >= 0.005 else 1.6
        assert (p <= level).mean() <= bound * slack, (name, level)


def test_bits_are_an_e_value() -> None:
    """The calibrator integrates to one, so evidence is not created under the null."""
    total, _ = integrate.quad(
        lambda u: float(2 ** bits(np.array([math.exp(u)]))[0]) * math.exp(u), math.log(P_FLOOR), 0
    )
    assert total == pytest.approx(1 - 1 / -math.log(P_FLOOR), rel=0.01)
    assert bits(np.array([1.0]))[0] == pytest.approx(-1, abs=0.01)
    assert np.isnan(bits(np.array([np.nan]))[0])


@given(st.lists(st.floats(1e-9, 1), min_size=1, max_size=40))
def test_false_discovery_rates_agree_with_the_definition(p: list[float]) -> None:
    assert false_discovery_rates(np.array(p)) == pytest.approx(bh_twin(p))


def test_what_is_not_tested_does_not_count() -> None:
    with_gaps = false_discovery_rates(np.array([0.001, np.nan, 0.2, np.nan]))
    assert np.isnan(with_gaps[[1, 3]]).all()
    assert with_gaps[[0, 2]] == pytest.approx(bh_twin([0.001, 0.2]))
