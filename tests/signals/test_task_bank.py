from __future__ import annotations

import random
from collections import defaultdict

import numpy as np
import pytest

from stillwatch.signals.task_bank import SIGNAL
from tests.signals.builders import event, population, statistic
from tests.signals.random_world import NAN, World, compare


def twin(world: World, members: list[str]) -> float:
    hands: dict[int | None, set[str]] = defaultdict(set)
    holders: dict[tuple[int | None, int], set[str]] = defaultdict(set)
    for row in world.events(members):
        if row.get("item") is not None and row["item"] % 4 == 0:
            hands[row["lead_skeleton"]].add(row["account_id"])
            holders[row["lead_skeleton"], row["item"]].add(row["account_id"])
    total = sum(len(who) for who in holders.values())
    if len(members) < 2 or total < 12:
        return NAN
    templates = {lead for lead, who in hands.items() if lead is not None and len(who) >= 2}
    under = [(len(who), len(who) - 1) for (lead, _), who in holders.items() if lead in templates]
    return sum(all_of_them - 2 * beyond_the_first for all_of_them, beyond_the_first in under) / total


def test_equals_its_twin() -> None:
    compare(SIGNAL, twin)


def test_one_bank_dealt_out_is_one() -> None:
    rows = [event(f"a{n % 4}", n, lead_skeleton=5, item=4 * n) for n in range(40)]
    assert statistic(SIGNAL, population(rows), [f"a{n}" for n in range(4)]) == pytest.approx(1.0)


def test_a_template_each_is_nought() -> None:
    rows = [event(f"a{n % 4}", n, lead_skeleton=n % 4, item=4 * n) for n in range(40)]
    assert statistic(SIGNAL, population(rows), [f"a{n}" for n in range(4)]) == pytest.approx(0.0)


def test_homework_that_everybody_asks_is_below_nought() -> None:
    rows = [event(f"a{n % 5}", n, lead_skeleton=5, item=4 * (n // 5)) for n in range(40)]
    # every item in five hands: 2 - 5 of 5
    assert statistic(SIGNAL, population(rows), [f"a{n}" for n in range(5)]) == pytest.approx(-0.6)


def test_asking_the_shared_item_often_does_not_make_a_bank() -> None:
    items = [(name, 4 * item) for name in ("a", "b") for item in range(10)]
    once = [event(name, 0, lead_skeleton=5, item=item) for name, item in items]
    for rows in (once, once * 50):
        assert statistic(SIGNAL, population(rows), ["a", "b"]) == 0.0


def test_prompts_without_a_skeleton_share_no_template() -> None:
    rows = [event(f"a{n % 4}", n, item=4 * n) for n in range(40)]
    assert statistic(SIGNAL, population(rows), [f"a{n}" for n in range(4)]) == 0.0


def test_eleven_sampled_items_have_no_answer() -> None:
    rows = [event("ab"[n % 2], n, lead_skeleton=5, item=n) for n in range(44)]
    log = population(rows)
    assert np.isnan(statistic(SIGNAL, log, ["a", "b"]))


def test_a_sharded_bank_scores_above_one_viral_template() -> None:
    rng = random.Random(4)
    rows = [event(f"h{n % 8}", n / 5, lead_skeleton=5, item=4 * n) for n in range(400)]
    rows += [event(f"p{n % 8}", n / 5, lead_skeleton=6, item=4 * rng.randrange(60)) for n in range(400)]
    log = population(rows)
    assert statistic(SIGNAL, log, [f"h{n}" for n in range(8)]) > statistic(SIGNAL, log, [f"p{n}" for n in range(8)]) + 1
