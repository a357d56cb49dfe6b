from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from stillwatch.signals.coverage import SIGNAL
from tests.signals.builders import event, population, statistic
from tests.signals.random_world import NAN, World, compare


def twin(world: World, members: list[str]) -> float:
    rows = [row for row in world.events(members) if row.get("item") is not None]
    if len(rows) < 40:
        return NAN
    distinct = 4 * len({row["item"] for row in rows if row["item"] % 4 == 0})
    leads = Counter(row["lead_skeleton"] for row in rows if row["lead_skeleton"] is not None)
    same = max(sum(n * n for n in leads.values()) / len(rows), 1) / len(rows)
    return math.log2(max(distinct, 1)) - math.log2(1 / same)


def test_equals_its_twin() -> None:
    compare(SIGNAL, twin)


def test_sixty_four_tasks_in_one_form_are_six_bits() -> None:
    rows = [event(f"a{n % 3}", n, lead_skeleton=7, item=n) for n in range(64)]
    assert statistic(SIGNAL, population(rows), ["a0", "a1", "a2"]) == pytest.approx(6.0)


def test_a_form_for_every_task_is_zero() -> None:
    rows = [event("a", n, lead_skeleton=n, item=n) for n in range(64)]
    assert statistic(SIGNAL, population(rows), ["a"]) == pytest.approx(0.0)


def test_too_few_texts_have_no_answer() -> None:
    assert np.isnan(statistic(SIGNAL, population([event("a", n, lead_skeleton=1, item=n) for n in range(39)]), ["a"]))


def test_a_task_bank_in_two_forms_scores_above_people() -> None:
    harvest = [event("h", n / 9, lead_skeleton=n % 2, item=n) for n in range(400)]
    people = [event("p", n / 9, lead_skeleton=n % 97, item=10_000 + n % 200) for n in range(400)]
    log = population(harvest + people)
    assert statistic(SIGNAL, log, ["h"]) > statistic(SIGNAL, log, ["p"]) + 3
