from __future__ import annotations

import numpy as np
import pytest

from stillwatch.signals.declared_diversity import DECLARED, SIGNAL
from tests.signals.builders import event, population, statistic
from tests.signals.random_world import NAN, World, compare


def twin(world: World, members: list[str]) -> float:
    parts = []
    for column in DECLARED:
        values = [v for name in members if (v := world.account(name).get(column)) is not None]
        if len(values) >= 2:
            parts.append((len(set(values)) - 1) / (len(values) - 1))
    if len(members) < 2 or not parts:
        return NAN
    hands = [world.hand[name] for name in members if name in world.hand]
    largest = max((hands.count(hand) for hand in hands), default=1)
    return sum(parts) / len(parts) * (largest - 1) / (len(members) - 1)


def test_equals_its_twin() -> None:
    compare(SIGNAL, twin)


def test_half_in_one_hand_and_one_of_two_columns_diverse() -> None:
    accounts = [{"account_id": f"a{n}", "org_id": f"o{n}", "country": "xx"} for n in range(5)]
    log = population([event(f"a{n}") for n in range(5)], accounts=accounts, hand={"a0": 7, "a1": 7, "a2": 7, "a3": 8})
    assert statistic(SIGNAL, log, ["a0", "a1", "a2", "a3", "a4"]) == pytest.approx(0.5 * 0.5)


def test_another_hand_is_not_unity() -> None:
    accounts = [{"account_id": f"a{n}", "org_id": f"o{n}"} for n in range(4)]
    log = population([event(f"a{n}") for n in range(4)], accounts=accounts, hand={"a0": 0, "a2": 0, "a1": 1, "a3": 1})
    assert statistic(SIGNAL, log, ["a0", "a1"]) == 0.0


def test_nothing_declared_or_not_linked_has_no_answer() -> None:
    rows = [event("a"), event("b")]
    declared = [{"account_id": name, "org_id": name} for name in "ab"]
    undeclared = [{"account_id": name} for name in "ab"]
    one = {"a": 3, "b": 3}
    for log in (
        population(rows, hand=one),
        population(rows, accounts=undeclared, hand=one),
        population(rows, accounts=declared),
    ):
        assert np.isnan(statistic(SIGNAL, log, ["a", "b"]))


def test_a_ring_scores_above_an_enterprise_and_above_strangers() -> None:
    names = {kind: [f"{kind}{n}" for n in range(6)] for kind in "hes"}
    accounts = [{"account_id": n, "org_id": n, "payment_id": n, "country": n} for n in names["h"] + names["s"]]
    accounts += [{"account_id": n, "org_id": "one", "payment_id": "one", "country": "one"} for n in names["e"]]
    hand = {name: number for number, kind in enumerate("he") for name in names[kind]}
    log = population([event(n) for own in names.values() for n in own], accounts=accounts, hand=hand)
    ring, enterprise, strangers = (statistic(SIGNAL, log, names[kind]) for kind in "hes")
    assert ring == 1.0
    assert enterprise == strangers == 0.0
