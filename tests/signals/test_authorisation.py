from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from stillwatch.population import Authorisation
from stillwatch.signals.authorisation import SIGNAL
from tests.signals.builders import event, population, statistic
from tests.signals.random_world import NAN, World, compare


def twin(world: World, members: list[str]) -> float:
    busiest = max(Counter(row["time"].date() for row in world.events(members)).values(), default=0)
    permits = [world.authorised[name] for name in members if name in world.authorised]
    registered = {permit.id: permit.max_requests_per_day for permit in permits}
    quota = sum(registered.values()) or max([world.account(m).get("quota_per_day") or 0 for m in members], default=0)
    return math.log2(busiest / quota) if busiest and quota else NAN


def test_equals_its_twin() -> None:
    compare(SIGNAL, twin)


def test_four_accounts_at_full_quota_use_four_quotas() -> None:
    names = [f"a{n}" for n in range(4)]
    log = population(
        [event(name, n / 100) for name in names for n in range(50)],
        accounts=[{"account_id": name, "quota_per_day": 50} for name in names],
    )
    assert statistic(SIGNAL, log, names) == pytest.approx(2.0)
    assert statistic(SIGNAL, log, names[:1]) == pytest.approx(0.0)


def test_a_registered_quota_goes_before_a_larger_declared_one() -> None:
    log = population(
        [event("a", n / 100) for n in range(80)],
        accounts=[{"account_id": "a", "quota_per_day": 100_000}],
        authorised={"a": Authorisation("permit", 20.0, 0.0, True)},
    )
    assert statistic(SIGNAL, log, ["a"]) == pytest.approx(2.0)


def test_one_permit_for_many_accounts_counts_once() -> None:
    names = [f"a{n}" for n in range(8)]
    permit = Authorisation("permit", 10.0, 0.0, True)
    log = population([event(name, n / 9) for name in names for n in range(10)], authorised=dict.fromkeys(names, permit))
    assert statistic(SIGNAL, log, names) == pytest.approx(3.0)


@pytest.mark.parametrize("quota", [float("inf"), 0.0])
def test_a_permit_without_a_daily_bound_has_no_ratio(quota: float) -> None:
    log = population([event("a")], authorised={"a": Authorisation("permit", quota, 0.0, True)})
    assert np.isnan(statistic(SIGNAL, log, ["a"]))


def test_a_pool_scores_above_a_customer() -> None:
    names = [f"h{n}" for n in range(30)]
    rows = [event(name, n / 5) for name in names for n in range(90)] + [event("c", n / 5) for n in range(90)]
    log = population(rows, accounts=[{"account_id": name, "quota_per_day": 100} for name in [*names, "c"]])
    assert statistic(SIGNAL, log, names) > statistic(SIGNAL, log, ["c"]) + 3
