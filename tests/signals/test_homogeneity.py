from __future__ import annotations

import math
import random
import statistics as stats

import numpy as np
import pytest

from stillwatch.signals.homogeneity import SIGNAL
from tests.signals.builders import event, population, statistic
from tests.signals.random_world import NAN, World, compare


def twin(world: World, members: list[str]) -> float:
    if len(members) < 5:
        return NAN
    own = [world.events([name]) for name in members]
    return -stats.stdev(math.log2(len(rows) / len({row["time"].date() for row in rows})) for rows in own)


def test_equals_its_twin() -> None:
    compare(SIGNAL, twin)


def test_one_to_sixteen_a_day() -> None:
    rows = [event(f"a{n}", 24 * day + k / 99) for n in range(5) for day in range(n + 1) for k in range(2**n)]
    log = population(rows)
    assert statistic(SIGNAL, log, [f"a{n}" for n in range(5)]) == pytest.approx(-math.sqrt(2.5))
    assert np.isnan(statistic(SIGNAL, log, [f"a{n}" for n in range(4)]))


def test_one_budget_scores_above_people() -> None:
    rng = random.Random(3)
    rows = [event(f"h{n}", k / 9) for n in range(20) for k in range(26 + rng.randint(-3, 3))]
    rows += [event(f"p{n}", k / 9) for n in range(20) for k in range(max(1, int(rng.lognormvariate(3, 1.2))))]
    log = population(rows)
    budget, people = (statistic(SIGNAL, log, [f"{kind}{n}" for n in range(20)]) for kind in "hp")
    assert -0.5 < budget <= 0
    assert people < -0.8
