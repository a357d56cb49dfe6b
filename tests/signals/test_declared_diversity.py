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
    inside = {name for link in world.links if set(link) <= set(members) for name in link}
    return sum(parts) / len(parts) * len(inside) / len(members) if len(members) >= 2 and parts else NAN


def test_equals_its_twin() -> None:
    compare(SIGNAL, twin)


def test_half_linked_and_one_of_two_columns_diverse() -> None:
    accounts = [{"account_id": f"a{n}", "org_id": f"o{n}", "country": "xx"} for n in range(4)]
    log = population([event(f"a{n}") for n in range(4)], accounts=accounts, links=[("a0", "a1")])
    assert statistic(SIGNAL, log, ["a0", "a1", "a2", "a3"]) == pytest.approx(0.5 * 0.5)


def test_links_to_others_are_not_unity() -> None:
    accounts = [{"account_id": f"a{n}", "org_id": f"o{n}"} for n in range(4)]
    log = population([event(f"a{n}") for n in range(4)], accounts=accounts, links=[("a0", "a2"), ("a1", "a3")])
    assert statistic(SIGNAL, log, ["a0", "a1"]) == 0.0


def test_nothing_declared_or_not_linked_has_no_answer() -> None:
    rows = [event("a"), event("b")]
    declared = [{"account_id": name, "org_id": name} for name in "ab"]
    undeclared = [{"account_id": name} for name in "ab"]
    for log in (
        population(rows, links=[("a", "b")]),
        population(rows, accounts=undeclared, links=[("a", "b")]),
        population(rows, accounts=declared),
    ):
        assert np.isnan(statistic(SIGNAL, log, ["a", "b"]))


def test_a_ring_scores_above_an_enterprise_and_above_strangers() -> None:
    names = {kind: [f"{kind}{n}" for n in range(6)] for kind in "hes"}
    accounts = [{"account_id": n, "org_id": n, "payment_id": n, "country": n} for n in names["h"] + names["s"]]
    accounts += [{"account_id": n, "org_id": "one", "payment_id": "one", "country": "one"} for n in names["e"]]
    links = [(f"{kind}{n}", f"{kind}{n + 1}") for kind in "he" for n in range(5)]
    log = population([event(n) for own in names.values() for n in own], accounts=accounts, links=links)
    ring, enterprise, strangers = (statistic(SIGNAL, log, names[kind]) for kind in "hes")
    assert ring == 1.0
    assert enterprise == strangers == 0.0
