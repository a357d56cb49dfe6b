from __future__ import annotations

import numpy as np
import pytest

from stillwatch.signals.elicitation import PARTS, SIGNAL
from tests.signals.builders import event, population, statistic
from tests.signals.random_world import World, compare, share


def twin(world: World, members: list[str]) -> float:
    parts = []
    for name in members:
        rows = world.events([name])
        # the log keeps single precision
        labelled = [[float(np.float32(row[part])) for part in PARTS if row.get(part) is not None] for row in rows]
        known = [max(values) for values in labelled if values]
        parts += [(sum(known) / len(known), len(known))] if known else []
    return share(parts)


def test_equals_its_twin() -> None:
    compare(SIGNAL, twin)


def test_the_largest_label_of_an_event_counts() -> None:
    labels = {"elicitation": 0.25, "trace_cleaning": 0.75, "safe_rewrite": 0.0, "task_generation": 0.5}
    none = dict.fromkeys(PARTS, 0.0)
    log = population([event("a", 0, **labels), event("a", 1, **none), event("a", 2)])
    assert statistic(SIGNAL, log, ["a"]) == pytest.approx(0.375)


@pytest.mark.parametrize("part", PARTS)
def test_any_one_label_is_enough_to_have_looked(part: str) -> None:
    assert statistic(SIGNAL, population([event("a", **{part: 0.5})]), ["a"]) == pytest.approx(0.5)


def test_grading_is_another_matter() -> None:
    assert np.isnan(statistic(SIGNAL, population([event("a", grading=1.0)]), ["a"]))


def test_asking_for_traces_scores_above_asking_for_recipes() -> None:
    harvest = [event("h", n, elicitation=0.75, trace_cleaning=0.1) for n in range(20)]
    people = [event("p", n, elicitation=0.75 * (n % 10 == 0), trace_cleaning=0.0) for n in range(20)]
    log = population(harvest + people)
    assert statistic(SIGNAL, log, ["h"]) > statistic(SIGNAL, log, ["p"]) + 0.5
