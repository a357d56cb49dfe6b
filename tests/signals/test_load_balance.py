from __future__ import annotations

import math
import random

import numpy as np
import pytest

from stillwatch.signals.load_balance import SIGNAL
from tests.signals.builders import event, population, statistic
from tests.signals.coordination import variance_ratio
from tests.signals.random_world import World, compare


def twin(world: World, members: list[str]) -> float:
    ratio = variance_ratio(world, members)
    return ratio if math.isnan(ratio) else -math.log2(ratio)


def test_equals_its_twin() -> None:
    compare(SIGNAL, twin)


def test_three_in_turn_with_one_change_of_the_sum() -> None:
    # an hour each in turn, 48 hours; the log begins an hour before, so that the sum changes once
    rows = [event(f"a{hour % 3}", hour) for hour in range(48)] + [event("other", -1)]
    # hours 0..47 among -1..47: a1 and a0 change 32 times by one, a2 31 times as the log ends in its hour
    lengths = [32, 32, 31]
    first = 1 / lengths[0]  # hour 0 is a0's, and nobody has the hour before
    turns = [1 / lengths[(hour + 1) % 3] ** 0.5 - 1 / lengths[hour % 3] ** 0.5 for hour in range(47)]
    expected = first + sum(change**2 for change in turns)
    assert statistic(SIGNAL, population(rows), ["a0", "a1", "a2"]) == pytest.approx(-math.log2(expected / 3))


def test_perfect_balance_has_an_answer_and_it_is_the_largest() -> None:
    perfect = [event(f"a{hour % 3}", hour) for hour in range(48)]
    flawed = [*perfect, event("a0", 7), event("a1", 31)]
    whole, near = (statistic(SIGNAL, population(rows), ["a0", "a1", "a2"]) for rows in (perfect, flawed))
    assert whole > near > 0


def test_members_that_never_change_say_nothing() -> None:
    rows = [event(f"a{n}", hour) for n in range(3) for hour in range(48)]
    assert np.isnan(statistic(SIGNAL, population(rows), ["a0", "a1", "a2"]))


def test_workers_of_one_queue_score_above_strangers() -> None:
    rng = random.Random(2)
    rows = [event(f"h{rng.randrange(6)}", hour) for hour in range(300)]
    rows += [event(f"p{n}", hour) for n in range(6) for hour in rng.sample(range(300), 50)]
    log = population(rows)
    queue, strangers = (statistic(SIGNAL, log, [f"{kind}{n}" for n in range(6)]) for kind in "hp")
    assert queue > strangers + 3
