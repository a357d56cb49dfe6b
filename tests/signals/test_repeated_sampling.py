from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from stillwatch.signals.repeated_sampling import SIGNAL
from tests.signals.builders import event, population, statistic
from tests.signals.random_world import NAN, World, compare


def twin(world: World, members: list[str]) -> float:
    rows = world.events(members)
    asked = Counter(row["item"] for row in rows if row.get("item") is not None and row["item"] % 4 == 0)
    choices: list[int] = [row["choices"] for row in rows if row["choices"] is not None]
    if not asked and not choices:
        return NAN
    repeats = sum(n - 1 for n in asked.values()) / sum(asked.values()) if asked else 0.0
    return repeats + sum(min(max(n - 1, 0), 128) for n in choices) / len(rows)


def test_equals_its_twin() -> None:
    compare(SIGNAL, twin)


def test_four_answers_to_each_prompt_through_different_accounts() -> None:
    rows = [event(f"a{copy}", item / 4, lead_skeleton=1, item=4 * item) for item in range(10) for copy in range(4)]
    log = population(rows)
    assert statistic(SIGNAL, log, ["a0", "a1", "a2", "a3"]) == pytest.approx(0.75)
    assert statistic(SIGNAL, log, ["a0"]) == 0.0


def test_choices_count_without_text_and_null_is_not_many() -> None:
    log = population([event("a", 0, choices=4), event("a", 1), event("b", choices=1), event("c")])
    assert statistic(SIGNAL, log, ["a"]) == pytest.approx(1.5)
    assert statistic(SIGNAL, log, ["b"]) == 0.0
    assert np.isnan(statistic(SIGNAL, log, ["c"]))


def test_an_absurd_number_of_choices_is_bounded() -> None:
    assert statistic(SIGNAL, population([event("a", choices=2**62)]), ["a"]) == 128.0


def test_rejection_sampling_scores_above_people() -> None:
    harvest = [event("h", n, lead_skeleton=1, item=4 * (n // 8)) for n in range(64)]
    people = [event("p", n, lead_skeleton=n, item=4 * (n - n % 9 // 8)) for n in range(64)]
    log = population(harvest + people)
    assert statistic(SIGNAL, log, ["h"]) > statistic(SIGNAL, log, ["p"]) + 0.5
