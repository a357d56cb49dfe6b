from __future__ import annotations

import math

import pytest

from stillwatch.signals.volume import SIGNAL
from tests.signals.builders import event, population, statistic
from tests.signals.random_world import NAN, World, compare


def twin(world: World, members: list[str]) -> float:
    if not members:
        return NAN
    days = {row["time"].date() for row in world.rows}
    return math.log10(max(len(world.events(members)), 1) / len(days))


def test_equals_its_twin() -> None:
    compare(SIGNAL, twin)


def test_twenty_events_in_two_days_are_ten_a_day() -> None:
    rows = [event("a", n) for n in range(12)] + [event("b", 24 + n) for n in range(8)]
    assert statistic(SIGNAL, population(rows), ["a", "b"]) == pytest.approx(1.0)


def test_one_stray_date_does_not_thin_the_log_out() -> None:
    rows = [event("a", n / 10) for n in range(100)]
    stray = [*rows, event("z", -24 * 365 * 40)]
    assert statistic(SIGNAL, population(stray), ["a"]) == pytest.approx(math.log10(100 / 2))


def test_many_small_accounts_are_more_than_one_customer() -> None:
    rows = [event(f"h{n}", n % 24) for n in range(500)] + [event("honest", n % 24) for n in range(40)]
    log = population(rows)
    assert statistic(SIGNAL, log, [f"h{n}" for n in range(500)]) > statistic(SIGNAL, log, ["honest"]) + 1
