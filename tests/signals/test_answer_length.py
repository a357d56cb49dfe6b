from __future__ import annotations

import math

import numpy as np
import pytest

from stillwatch.signals.answer_length import SIGNAL
from tests.signals.builders import event, population, statistic
from tests.signals.random_world import World, compare, share


def twin(world: World, members: list[str]) -> float:
    parts = []
    for name in members:
        lengths = [math.log2(row["output_tokens"]) for row in world.events([name]) if row["output_tokens"]]
        parts += [(sum(lengths) / len(lengths), len(lengths))] if lengths else []
    return share(parts)


def test_equals_its_twin() -> None:
    compare(SIGNAL, twin)


def test_two_answers() -> None:
    rows = [event("a", n, output_tokens=out) for n, out in enumerate([4, 1024])]
    assert statistic(SIGNAL, population(rows), ["a"]) == pytest.approx(6.0)


def test_an_answer_of_nothing_is_no_answer() -> None:
    log = population([event("a", output_tokens=0), event("b", output_tokens=1)])
    assert np.isnan(statistic(SIGNAL, log, ["a"]))
    assert statistic(SIGNAL, log, ["b"]) == 0.0


def test_one_endless_answer_does_not_make_a_customer_a_harvest() -> None:
    people = [event("p", n, output_tokens=64) for n in range(30)] + [event("p", 31, output_tokens=100_000)]
    harvest = [event("h", n, output_tokens=2_000) for n in range(30)]
    log = population(people + harvest)
    assert statistic(SIGNAL, log, ["p"]) < 7 < statistic(SIGNAL, log, ["h"])
