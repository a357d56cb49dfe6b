from __future__ import annotations

import math
import random

import pytest

from stillwatch.signals.synchrony import SIGNAL
from tests.signals.builders import event, population, statistic
from tests.signals.coordination import variance_ratio
from tests.signals.random_world import World, compare


def twin(world: World, members: list[str]) -> float:
    ratio = variance_ratio(world, members)
    return ratio if math.isnan(ratio) else math.log2(ratio)


def test_equals_its_twin() -> None:
    compare(SIGNAL, twin)


def test_four_in_lockstep_are_two_bits() -> None:
    rows = [event(f"a{n}", hour) for n in range(4) for hour in range(1, 40, 2)]
    assert statistic(SIGNAL, population(rows), [f"a{n}" for n in range(4)]) == pytest.approx(2.0)


def test_two_that_never_meet_are_independent() -> None:
    rows = [event("z", hour) for hour in (0, 200)] + [event("a", hour) for hour in range(10, 60, 4)]
    rows += [event("b", 100 + hour) for hour in range(0, 60, 4)] + [event("c", 190)]
    assert statistic(SIGNAL, population(rows), ["a", "b", "c"]) == pytest.approx(0.0)


def test_later_turns_of_a_conversation_are_not_starts() -> None:
    starts = [event(f"a{n}", hour, turns=1) for n in range(4) for hour in range(1, 40, 2)]
    later = [event("a0", hour / 7, turns=2 + hour % 3) for hour in range(200)]
    assert statistic(SIGNAL, population(starts + later), [f"a{n}" for n in range(4)]) == pytest.approx(2.0)


def test_one_scheduler_scores_above_strangers() -> None:
    rng = random.Random(1)
    shifts = rng.sample(range(300), 60)
    rows = [event(f"h{n}", hour) for n in range(6) for hour in shifts]
    rows += [event(f"p{n}", hour) for n in range(6) for hour in rng.sample(range(300), 60)]
    log = population(rows)
    scheduled, strangers = (statistic(SIGNAL, log, [f"{kind}{n}" for n in range(6)]) for kind in "hp")
    assert scheduled == pytest.approx(math.log2(6), abs=0.05)
    assert abs(strangers) < 0.7
