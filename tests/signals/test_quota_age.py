from __future__ import annotations

from collections import Counter
from datetime import timedelta

import numpy as np
import pytest

from stillwatch.signals.quota_age import SIGNAL
from tests.signals.builders import START, event, population, statistic
from tests.signals.random_world import NAN, World, compare


def twin(world: World, members: list[str]) -> float:
    full = young = 0
    for name in members:
        quota, created = world.account(name).get("quota_per_day"), world.account(name).get("created_at")
        if quota is None or created is None:
            continue
        for day, count in Counter(row["time"].date() for row in world.events([name])).items():
            if day - created.date() < timedelta(days=30):
                young += 1
                full += count >= 0.8 * quota
    return full / young if young else NAN


def test_equals_its_twin() -> None:
    compare(SIGNAL, twin)


def test_one_full_day_of_four() -> None:
    rows = [event("a", 24 * day + n / 100) for day, count in enumerate([8, 7, 1, 2]) for n in range(count)]
    log = population(rows, accounts=[{"account_id": "a", "quota_per_day": 10, "created_at": START}])
    assert statistic(SIGNAL, log, ["a"]) == pytest.approx(0.25)


def test_the_thirtieth_day_is_young_and_the_next_is_not() -> None:
    accounts = [
        {"account_id": "young", "quota_per_day": 1, "created_at": START - timedelta(days=29)},
        {"account_id": "old", "quota_per_day": 1, "created_at": START - timedelta(days=30)},
    ]
    log = population([event("young"), event("old")], accounts=accounts)
    assert statistic(SIGNAL, log, ["young"]) == 1.0
    assert np.isnan(statistic(SIGNAL, log, ["old"]))


def test_full_from_the_first_day_scores_above_growing_into_it() -> None:
    rows = [event("h", 24 * day + n / 50) for day in range(9) for n in range(100)]
    rows += [event("p", 24 * day + n / 50) for day in range(9) for n in range(5 * day + 1)]
    declared = [{"account_id": name, "quota_per_day": 100, "created_at": START} for name in "hp"]
    log = population(rows, accounts=declared)
    assert statistic(SIGNAL, log, ["h"]) > statistic(SIGNAL, log, ["p"]) + 0.5
