from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from stillwatch.signals.hand_over import SIGNAL
from tests.signals.builders import START, Row, event, population, statistic
from tests.signals.random_world import NAN, World, compare

DAY = timedelta(days=1)
WINDOW = 3 * DAY


def twin(world: World, members: list[str]) -> float:
    born = [time for name in members if (time := world.account(name).get("created_at")) is not None]
    ends = sorted(time for name in members if (time := world.account(name).get("closed_at")) is not None)
    if len(members) < 3:
        return NAN
    if not ends:
        return 0.0
    if not born:
        return NAN
    after = sum(any(end < birth <= end + WINDOW for end in ends) for birth in born)
    covered, reached = timedelta(0), min(born)
    for end in ends:
        start, stop = max(end, reached), min(end + WINDOW, max(born))
        covered += max(stop - start, timedelta(0))
        reached = max(reached, stop)
    share: float = covered / max(max(born) - min(born), WINDOW)
    return (after - len(born) * share) / len(members)


def test_equals_its_twin() -> None:
    compare(SIGNAL, twin)


def lives(*days: tuple[float | None, float | None]) -> tuple[list[Row], list[str]]:
    """Accounts by days of birth and closure, and their ids."""

    def moment(day: float | None) -> datetime | None:
        return None if day is None else START + day * DAY

    names = [f"a{n}" for n in range(len(days))]
    rows = zip(names, days, strict=True)
    return [{"account_id": n, "created_at": moment(b), "closed_at": moment(c)} for n, (b, c) in rows], names


def score(*days: tuple[float | None, float | None]) -> float:
    accounts, names = lives(*days)
    # somebody else shows that the log has both columns
    other = {"account_id": "other", "created_at": START, "closed_at": START}
    log = population([event(name) for name in [*names, "other"]], accounts=[*accounts, other])
    return statistic(SIGNAL, log, names)


def test_a_pool_that_takes_over_the_day_after() -> None:
    # half of the births fall into the window, which covers one of 51 days
    assert score((0, 50), (0, 50), (51, None), (51, None)) == pytest.approx((2 - 4 / 51) / 4)


def test_closures_after_the_last_birth_neither_help_nor_harm() -> None:
    assert score(*[(n, 100 + n) for n in range(10)]) == 0.0


def test_nobody_closed_is_an_answer_and_no_births_is_none() -> None:
    assert score((0, None), (1, None), (2, None)) == 0.0
    assert np.isnan(score((None, 5), (None, 5), (None, None)))


def test_births_all_over_the_year_are_not_replacements() -> None:
    assert abs(score(*[(10 * n, 10 * n + 35 if n % 3 == 0 else None) for n in range(30)])) < 0.2


def test_replacement_scores_above_coming_and_going() -> None:
    pool = [(n / 9, 40.0) for n in range(10)] + [(40.5 + n / 9, None) for n in range(10)]
    people = [(4.0 * n, 4.0 * n + 21 if n % 5 == 0 else None) for n in range(20)]
    assert score(*pool) > score(*people) + 0.25
