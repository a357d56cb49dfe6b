"""From signals to dimensions: facts count once, overlap is taken off, the null stays the null."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.judging.combine import combine, facts
from stillwatch.judging.judge import counted
from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Population
from stillwatch.signals import Signal


class _Stated(Signal):
    """A signal that only has its metadata; combine never measures."""

    question = statistic = null = "-"
    resolution = 0.01

    def __init__(self, name: str, dimension: Dimension, fact: str) -> None:
        self.name, self.dimension, self.fact = name, dimension, fact  # type: ignore[misc]

    def measure(self, population: Population, groups: Groups) -> Floats:
        raise NotImplementedError


SOURCE, PURPOSE = Dimension.SOURCE, Dimension.PURPOSE
SIGNALS = [
    _Stated("steady", SOURCE, "time"),
    _Stated("together", SOURCE, "time"),
    _Stated("bank", SOURCE, "bank"),
    _Stated("grading", PURPOSE, "grading"),
    _Stated("volume", Dimension.SCALE, "volume"),
    _Stated("declared", Dimension.TRANSPARENCY, "declared"),
]


def facts_twin(values: dict[str, float], dimension: Dimension) -> float | None:
    best: dict[str, float] = {}
    for signal in SIGNALS:
        value = values.get(signal.name)
        if signal.dimension is dimension and value is not None:
            best[signal.fact] = max(best.get(signal.fact, -1e9), value)
    return sum(best.values()) if best else None


@pytest.mark.parametrize(
    "values",
    [
        {"steady": 3.0, "together": 5.0, "bank": -0.5},
        {"steady": -1.0, "together": -0.2},
        {"bank": 2.0, "grading": 4.0, "volume": 1.0, "declared": 0.0},
        {},
    ],
)
def test_one_fact_counts_once(values: dict[str, float]) -> None:
    row = np.array([[values.get(signal.name, np.nan)] for signal in SIGNALS])
    for dimension in Dimension:
        found, expected = facts(row, SIGNALS, dimension)[0], facts_twin(values, dimension)
        assert np.isnan(found) if expected is None else found == pytest.approx(expected)
    shown = counted(row[:, 0], SIGNALS)
    assert sum(shown.values()) == pytest.approx(sum(facts_twin(values, d) or 0 for d in Dimension))


def test_dimensions_of_ordinary_groups_are_calibrated() -> None:
    """Two signals of different facts that are copies of each other must not count double."""
    rng = np.random.default_rng(3)
    operators, groups = 400, 199
    latent = rng.normal(size=(operators, groups + 1))
    nulls = [latent[:, 1:] + 0.01 * rng.normal(size=(operators, groups)) for _ in SIGNALS]
    observed = np.stack([latent[:, 0] + 0.01 * rng.normal(size=operators) for _ in SIGNALS])
    found = combine(observed, nulls, SIGNALS)
    for row, dimension in enumerate(Dimension):
        share = (found.dimension_p[row] <= 0.05).mean()
        assert share <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / operators), dimension
        assert (found.dimension_bits[row] <= found.overlap[row] + facts(found.bits, SIGNALS, dimension) + 1e-9).all()


def test_bits_add_up_with_the_overlap_row() -> None:
    rng = np.random.default_rng(4)
    nulls = [rng.normal(size=(5, 99)) for _ in SIGNALS]
    observed = rng.normal(size=(6, 5)) + 6
    found = combine(observed, nulls, SIGNALS)
    for row, dimension in enumerate(Dimension):
        assert found.dimension_bits[row] == pytest.approx(facts(found.bits, SIGNALS, dimension) + found.overlap[row])
        assert (found.overlap[row] <= 1e-9).all()


def test_not_available_is_not_clean() -> None:
    nulls = [np.full((1, 99), np.nan) for _ in SIGNALS]
    found = combine(np.full((6, 1), np.nan), nulls, SIGNALS)
    assert np.isnan(found.bits).all()
    assert np.isnan(found.dimension_p).all()
    assert np.isnan(found.dimension_bits).all()
