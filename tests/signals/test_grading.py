from __future__ import annotations

import numpy as np
import pytest

from stillwatch.signals.grading import SIGNAL
from tests.signals.builders import event, population, statistic
from tests.signals.random_world import World, compare, share


def twin(world: World, members: list[str]) -> float:
    parts = []
    for name in members:
        rows = world.events([name])
        known = [float(np.float32(row["grading"])) for row in rows if row.get("grading") is not None]
        parts += [(sum(known) / len(known), len(known))] if known else []
    return share(parts)


def test_equals_its_twin() -> None:
    compare(SIGNAL, twin)


def test_events_without_a_label_do_not_dilute() -> None:
    log = population([event("a", 0, grading=1.0), event("b", 1, grading=0.5), event("b", 2)])
    assert statistic(SIGNAL, log, ["a", "b"]) == pytest.approx(0.75)


def test_a_reward_model_scores_above_a_teacher() -> None:
    harvest = [event(f"h{n % 5}", n, grading=0.9) for n in range(50)]
    teacher = [event("t", n, grading=0.9 * (n % 3 == 0)) for n in range(50)]
    log = population(harvest + teacher)
    assert statistic(SIGNAL, log, [f"h{n}" for n in range(5)]) > statistic(SIGNAL, log, ["t"]) + 0.4
