from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from stillwatch.signals.rhythm import SIGNAL
from tests.signals.builders import event, population, statistic
from tests.signals.random_world import NAN, World, compare


def twin(world: World, members: list[str]) -> float:
    starts = [row for row in world.events(members) if row["turns"] is None or row["turns"] <= 1]
    active = {(row["account_id"], row["time"].date(), row["time"].hour) for row in starts}
    hours = Counter(hour for _, _, hour in active)
    n = len(active)
    if n < 48:
        return NAN
    return sum(-c / n * math.log2(c / n) for c in hours.values()) + (len(hours) - 1) / (2 * n) / math.log(2)


def test_equals_its_twin() -> None:
    compare(SIGNAL, twin)


def test_eight_equal_hours_are_three_bits_and_a_little() -> None:
    rows = [event("a", 24 * day + hour) for day in range(10) for hour in range(8)]
    expected = 3 + 7 / (2 * 80 * math.log(2))
    assert statistic(SIGNAL, population(rows), ["a"]) == pytest.approx(expected)


def test_a_busy_hour_counts_once() -> None:
    rows = [event("a", 24 * day + hour) for day in range(10) for hour in range(8)]
    busy = rows + [event("a", n / 1000) for n in range(500)]
    assert statistic(SIGNAL, population(busy), ["a"]) == pytest.approx(statistic(SIGNAL, population(rows), ["a"]))


def test_before_1970_has_hours_too() -> None:
    rows = [event("a", 24 * day + hour - 24 * 365 * 60) for day in range(10) for hour in range(8)]
    assert statistic(SIGNAL, population(rows), ["a"]) == pytest.approx(3 + 7 / (2 * 80 * math.log(2)))


def test_two_days_of_work_have_no_answer() -> None:
    assert np.isnan(statistic(SIGNAL, population([event("a", n) for n in range(47)]), ["a"]))


def test_round_the_clock_scores_above_office_hours() -> None:
    rows = [event("h", n) for n in range(168)]
    rows += [event("p", 24 * day + 9 + hour) for day in range(7) for hour in range(8)]
    log = population(rows)
    assert statistic(SIGNAL, log, ["h"]) > statistic(SIGNAL, log, ["p"]) + 1
