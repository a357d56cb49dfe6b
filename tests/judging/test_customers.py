"""An operator against single customers: how unlike them it is, not how certain that is."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.judging.customers import ENOUGH, MEANS_BITS, UNLIKE, UNLIKE_WITH_MEANS, as_one_customer, limit
from stillwatch.judging.verdict import Gates
from stillwatch.population import Groups, Population
from stillwatch.signals import all_signals
from tests.signals import builders

HONEST = 260


def log(share: float, ring_share: float, seed: int = 0) -> Population:
    """Customers of 30 events of whom `share` elicit a little, and a ring of 12 that elicits in `ring_share`."""
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(HONEST + 12):
        name = f"a{k:03d}"
        ring = k >= HONEST
        taste = ring_share if ring else (rng.beta(1, 12) if rng.random() < share else 0.0)
        for j in range(30):
            asked = rng.random() < taste
            rows.append(
                builders.event(
                    name, hours=float(rng.random() * 200), item=int(rng.integers(1, 2**40)), skeleton=k * 100 + j,
                    lead_skeleton=k * 100 + j, turns=1, words=40, script="latin", output_tokens=100, max_tokens=1000,
                    elicitation=float(asked), grading=0.0, input_tokens=50,
                )
            )  # fmt: skip
    return builders.population(rows)


def p_of(population: Population) -> float:
    ring = np.arange(HONEST, HONEST + 12)
    eligible = np.ones(len(population), dtype=bool)
    eligible[ring] = False
    return float(as_one_customer(population, [ring], all_signals(), eligible, 0)[0])


def test_a_ring_that_elicits_all_the_time_is_unlike_every_customer() -> None:
    assert p_of(log(0.5, 0.7)) <= UNLIKE


def test_a_group_that_elicits_as_some_customers_do_is_like_them() -> None:
    """Twelve accounts together are certain to elicit a little more than the average, and still one in ten does."""
    assert p_of(log(0.5, 0.05)) > UNLIKE


def test_without_customers_nothing_is_known() -> None:
    population = log(0.5, 0.7)
    nobody = np.zeros(len(population), dtype=bool)
    assert np.isnan(as_one_customer(population, [np.arange(3)], all_signals(), nobody, 0)).all()
    assert as_one_customer(population, [], all_signals(), ~nobody, 0).shape == (0,)
    assert HONEST >= ENOUGH


def test_the_statistic_of_one_customer_is_its_own() -> None:
    """A customer drawn from the null has a p that many others have as well: about uniform."""
    population = log(1.0, 0.0)
    eligible = np.ones(len(population), dtype=bool)
    some = [np.array([row]) for row in range(0, HONEST, 5)]
    p = as_one_customer(population, some, all_signals(), eligible, 0)
    assert np.mean(p <= 0.25) == pytest.approx(0.25, abs=0.2)
    assert Groups.of(some, len(population)).members.shape[0] == len(some)


@pytest.mark.parametrize(
    ("stake", "unlike", "transparency", "tested"),
    [(5.0, 0.01, 4.0, True), (2.9, 0.01, 4.0, False), (5.0, 0.06, 4.0, False), (5.0, 0.01, 1.0, False),
     (5.0, float("nan"), 4.0, False), (5.0, 0.01, float("nan"), True), (-np.inf, 0.01, 4.0, False)],
)  # fmt: skip
def test_gates(stake: float, unlike: float, transparency: float, tested: bool) -> None:
    dimension_bits = np.array([[1.0], [1.0], [transparency], [1.0]])
    gates = Gates(np.array([stake]), np.array([unlike]), np.array([UNLIKE]))
    assert gates.open(dimension_bits).tolist() == [tested]


def test_who_shares_cards_is_held_to_less_than_who_shares_a_place() -> None:
    bits = np.array([np.nan, 0.0, MEANS_BITS - 0.1, MEANS_BITS, 400.0])
    assert limit(bits).tolist() == [UNLIKE, UNLIKE, UNLIKE, UNLIKE_WITH_MEANS, UNLIKE_WITH_MEANS]


@pytest.mark.parametrize(("means_bits", "tested"), [(0.0, False), (400.0, True)])
def test_gates_follow_the_limit_of_each_operator(means_bits: float, tested: bool) -> None:
    dimension_bits = np.array([[1.0], [1.0], [4.0], [1.0]])
    gates = Gates(np.array([5.0]), np.array([0.1]), limit(np.array([means_bits])))
    assert gates.open(dimension_bits).tolist() == [tested]
