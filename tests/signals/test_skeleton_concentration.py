from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from stillwatch.signals.skeleton_concentration import SIGNAL
from tests.signals.builders import event, population, statistic
from tests.signals.random_world import NAN, World, compare


def twin(world: World, members: list[str]) -> float:
    texts = [row for row in world.events(members) if row.get("item") is not None]
    leads = Counter(row["lead_skeleton"] for row in texts if row["lead_skeleton"] is not None)
    n = len(texts)
    return math.log2(max(sum((count / n) ** 2 for count in leads.values()), 1 / n)) if n >= 10 else NAN


def test_equals_its_twin() -> None:
    compare(SIGNAL, twin)


def test_four_equal_templates_are_minus_two_bits() -> None:
    rows = [event(f"a{n % 3}", n, lead_skeleton=n % 4, item=n) for n in range(48)]
    assert statistic(SIGNAL, population(rows), ["a0", "a1", "a2"]) == pytest.approx(-2.0)


def test_nine_texts_have_no_answer() -> None:
    assert np.isnan(statistic(SIGNAL, population([event("a", n, lead_skeleton=1, item=n) for n in range(9)]), ["a"]))


def test_one_template_scores_above_many() -> None:
    harvest = [event(f"h{n % 9}", n, lead_skeleton=1, item=n) for n in range(90)]
    people = [event(f"p{n % 9}", n, lead_skeleton=2 + n % 40, item=n) for n in range(90)]
    log = population(harvest + people)
    assert statistic(SIGNAL, log, [f"h{n}" for n in range(9)]) > statistic(SIGNAL, log, [f"p{n}" for n in range(9)]) + 4
