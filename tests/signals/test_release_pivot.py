from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from stillwatch.signals.release_pivot import SIGNAL
from tests.signals.builders import START, event, population, statistic
from tests.signals.random_world import NAN, World, compare


def twin(world: World, members: list[str]) -> float:
    best, both = NAN, (world.events(members), world.rows)
    for model, released_at in world.releases:
        days = {released_at.date(), released_at.date() + timedelta(days=1)}

        own, log = ([row["model"] for row in rows if row["time"].date() in days] for rows in both)
        if len(members) >= 2 and len(own) >= 10 and model in log:
            here = own.count(model) / len(own) - log.count(model) / len(log)
            best = here if math.isnan(best) else max(best, here)
    return best


def test_equals_its_twin() -> None:
    compare(SIGNAL, twin)


def release(hours: float = 0.0) -> list[tuple[str, datetime]]:
    return [("new", START + timedelta(hours=hours))]


def test_all_of_a_group_and_a_quarter_of_the_log() -> None:
    rows = [event(f"h{n % 2}", n, model="new") for n in range(20)] + [event("p", n / 2, model="old") for n in range(60)]
    log = population(rows, releases=release())
    assert statistic(SIGNAL, log, ["h0", "h1"]) == pytest.approx(1 - 0.25)


def test_the_days_of_a_release_are_those_of_utc() -> None:
    rows = [event(f"h{n % 2}", 24 + n, model="new") for n in range(20)] + [event("p", 30)]
    late = (START + timedelta(hours=30)).astimezone(timezone(timedelta(hours=-9)))
    assert late.date() < (START + timedelta(hours=30)).date()
    early = [*rows, *[event(f"h{n % 2}", n, model="old") for n in range(20)]]
    assert statistic(SIGNAL, population(early, releases=[("new", late)]), ["h0", "h1"]) == pytest.approx(1 - 20 / 21)


@pytest.mark.parametrize("releases", [[], [("unused", START)], [("new", START - timedelta(days=300))]])
def test_without_a_release_in_the_log_there_is_no_answer(releases: list[tuple[str, datetime]]) -> None:
    rows = [event(f"h{n % 2}", n, model="new") for n in range(20)]
    assert np.isnan(statistic(SIGNAL, population(rows, releases=releases), ["h0", "h1"]))


def test_moving_at_once_scores_above_moving_in_days() -> None:
    rows = [event(f"h{n % 3}", n / 2, model="new" if n > 8 else "old") for n in range(90)]
    rows += [event(f"p{n % 3}", n / 2, model="new" if n % 9 == 0 else "old") for n in range(90)]
    log = population(rows, releases=release(hours=4))
    assert statistic(SIGNAL, log, ["h0", "h1", "h2"]) > statistic(SIGNAL, log, ["p0", "p1", "p2"]) + 0.5
