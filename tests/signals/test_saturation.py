from __future__ import annotations

import numpy as np
import pytest

from stillwatch.signals.saturation import SIGNAL
from tests.signals.builders import event, population, statistic
from tests.signals.random_world import World, compare, share


def twin(world: World, members: list[str]) -> float:
    parts = []
    for name in members:
        limited = [row for row in world.events([name]) if row["max_tokens"] and row["output_tokens"] is not None]
        full = [row for row in limited if row["output_tokens"] >= 0.98 * row["max_tokens"]]
        parts += [(len(full) / len(limited), len(limited))] if limited else []
    return share(parts)


def test_equals_its_twin() -> None:
    compare(SIGNAL, twin)


def test_two_of_four_at_the_limit() -> None:
    rows = [event("a", n, max_tokens=100, output_tokens=out) for n, out in enumerate([98, 100, 97, 1])]
    assert statistic(SIGNAL, population(rows), ["a"]) == pytest.approx(0.5)


def test_a_limit_of_nought_is_no_limit() -> None:
    other = event("b", max_tokens=10, output_tokens=1)
    log = population([event("a", max_tokens=0, output_tokens=0), other])
    assert np.isnan(statistic(SIGNAL, log, ["a"]))


def test_bought_by_the_token_scores_above_stopping_when_done() -> None:
    harvest = [event("h", n, max_tokens=4096, output_tokens=4096 - n % 8) for n in range(30)]
    people = [event("p", n, max_tokens=4096, output_tokens=10 * n) for n in range(30)]
    log = population(harvest + people)
    assert statistic(SIGNAL, log, ["h"]) == 1.0 > statistic(SIGNAL, log, ["p"])
