from __future__ import annotations

import numpy as np
import pytest

from stillwatch.signals.continuity import SIGNAL
from tests.signals.builders import Row, event, population, statistic
from tests.signals.random_world import World, compare, share


def hit(rows: list[Row]) -> float | None:
    both = [row for row in rows if row.get("input_tokens") is not None and row.get("cached_tokens") is not None]
    read = sum(row["input_tokens"] for row in both)
    return sum(row["cached_tokens"] for row in both) / read if read else None


def twin(world: World, members: list[str]) -> float:
    parts = []
    for name in members:
        rows = world.events([name])
        turned = [row["turns"] for row in rows if row["turns"] is not None]
        own, of_log = hit(rows), hit(world.rows)
        cached = min(own if own is not None else (of_log or 0.0), 1.0)
        parts += [(sum(turns <= 1 for turns in turned) / len(turned) - cached, len(turned))] if turned else []
    return share(parts)


def test_equals_its_twin() -> None:
    compare(SIGNAL, twin)


def test_three_of_four_single_and_half_from_the_cache() -> None:
    rows = [event("a", n, turns=turns, input_tokens=100, cached_tokens=50) for n, turns in enumerate([1, 1, 0, 5])]
    assert statistic(SIGNAL, population(rows), ["a"]) == pytest.approx(0.75 - 0.5)


def test_a_platform_that_is_silent_on_its_cache_is_not_one_that_never_hits() -> None:
    told = [event("told", n, turns=1, input_tokens=100, cached_tokens=80) for n in range(10)]
    silent = [event("silent", n, turns=1, input_tokens=100) for n in range(10)]
    log = population(told + silent)
    assert statistic(SIGNAL, log, ["silent"]) == pytest.approx(statistic(SIGNAL, log, ["told"]))


def test_cached_tokens_counted_apart_stay_within_bounds() -> None:
    rows = [event("a", n, turns=9, input_tokens=10, cached_tokens=900) for n in range(3)]
    assert statistic(SIGNAL, population(rows), ["a"]) == pytest.approx(-1.0)


def test_unknown_turns_are_not_single() -> None:
    assert np.isnan(statistic(SIGNAL, population([event("a", input_tokens=10, cached_tokens=0)]), ["a"]))


def test_one_shot_traffic_scores_above_conversations() -> None:
    harvest = [event(f"h{n % 4}", n, turns=1, input_tokens=500, cached_tokens=0) for n in range(40)]
    people = [event(f"p{n % 4}", n, turns=1 + n % 6, input_tokens=500, cached_tokens=300) for n in range(40)]
    log = population(harvest + people)
    assert statistic(SIGNAL, log, ["h0", "h1", "h2", "h3"]) > statistic(SIGNAL, log, ["p0", "p1", "p2", "p3"]) + 0.5
