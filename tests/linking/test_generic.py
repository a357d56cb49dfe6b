"""The generic linker: twins of what it adds, planted rings, and shuffles in which there is nothing."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.linking import generic, groups
from stillwatch.linking.candidates import orders
from stillwatch.linking.pairs import Pairs
from stillwatch.linking.strata import Strata
from stillwatch.linking.views import View
from stillwatch.model import GROUPS, LINKS, OPERATORS, TRAITS
from tests.linking import naive
from tests.linking.small import small_null

Row = tuple[str, str, str, int]


def table(rows: list[Row]) -> pa.Table:
    return pa.table([list(column) for column in zip(*rows, strict=True)], schema=TRAITS)


def honest(rng: np.random.Generator, count: int = 400, views: tuple[str, ...] = ("device", "card")) -> list[Row]:
    """Accounts with three things a view out of two thousand."""
    return [
        (f"a{account:03}", view, f"{token}", 1)
        for account in range(count)
        for view in views
        for token in rng.choice(2000, 3, replace=False)
    ]


def ring(rng: np.random.Generator, name: str, size: int, stock: int, view: str = "device") -> list[Row]:
    """Accounts that each have three of a stock of the ring's own."""
    return [
        (f"{name}{member:02}", view, f"{name}-{token}", 1)
        for member in range(size)
        for token in rng.choice(stock, 3, replace=False)
    ]


def together(found: generic.GenericResult, name: str) -> int:
    """Members of a ring in its largest group."""
    operators = [row["operator_id"] for row in found.operators.to_pylist() if row["account_id"].startswith(name)]
    return max(operators.count(operator) for operator in operators)


# --- twins ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_refining_agrees_with_looking_at_every_node(seed: int) -> None:
    null = small_null(40, seed, strata=False)
    holders = null.shared.rows.tocsc()
    start = np.array([0, 1, 2, 7], dtype=np.int64)
    found = generic.refine(null, holders, start, 0.05)
    members = start.tolist()
    for _ in range(generic.ROUNDS):
        log_p = [naive.member_log_p(null.shared, null.more, members, i) for i in range(40)]
        q = naive.q_values(log_p, 40)
        new = [i for i in range(40) if q[i] <= 0.05]
        if len(new) < generic.SCANNED:
            assert found is None
            return
        if new == members:
            break
        members = new
    assert found is not None
    assert found.members.tolist() == members
    np.testing.assert_allclose(found.member_log_p, [log_p[i] for i in members], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", [0, 1])
def test_touched_are_members_and_who_holds_what_they_hold(seed: int) -> None:
    shared = small_null(30, seed, strata=False).shared
    held = shared.rows.toarray() > 0
    members = np.array([3, 8], dtype=np.int64)
    slow = [
        i for i in range(30) if i in members or any(held[i, a] and held[members, a].any() for a in range(held.shape[1]))
    ]
    assert generic.touched(shared, shared.rows.tocsc(), members).tolist() == slow


def test_speaking_views_are_those_with_a_token_twice_as_popular_as_expected() -> None:
    null = small_null(30, 4, strata=False)
    members = np.array([0, 1, 2], dtype=np.int64)
    shared, held = null.shared, null.shared.rows.toarray() > 0
    slow = set()
    for a in range(held.shape[1]):
        expected = sum(shared.volume[m, shared.view[a]] * naive.rate(shared, null.more, m, a) for m in members)
        if held[members, a].sum() >= max(2, 2 * expected):
            slow.add(shared.views[shared.view[a]].name)
    assert generic.speaking(null, members) == sorted(slow)
    assert slow


def test_existence_pays_for_all_groups_of_the_size() -> None:
    null = small_null(40, 0, strata=False)
    members, rank = np.array([0, 1, 2], dtype=np.int64), np.arange(40)
    searched = math.log(math.comb(40, 3)) + math.log(40)
    slow = min(0.0, searched - groups.family_log_e(null, members, rank)[0])
    assert generic.existence_log_p(null, members, rank) == pytest.approx(slow)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
def test_small_components_of_links_are_groups(ends: list[tuple[int, int]]) -> None:
    links = sorted({(min(a, b), max(a, b)) for a, b in ends if a != b})
    a, b = (np.array([link[k] for link in links], dtype=np.int64) for k in (0, 1))
    label = generic.linked(30, Pairs(a, b, np.full(len(a), -20.0), np.ones(len(a), np.int64)), 0)
    reached = np.eye(30, dtype=bool)
    reached[a, b] = reached[b, a] = True
    for k in range(30):
        reached |= np.outer(reached[:, k], reached[k])
    np.testing.assert_array_equal(label[:, None] == label[None, :], reached)


def test_a_large_component_is_cut_where_two_groups_touch() -> None:
    cliques = [(i + base, j + base) for base in (0, 40) for i in range(40) for j in range(i)]
    a, b = (np.array([link[k] for link in [*cliques, (45, 3)]], dtype=np.int64) for k in (1, 0))
    label = generic.linked(80, Pairs(a, b, np.full(len(a), -20.0), np.ones(len(a), np.int64)), 0)
    assert len(set(label[:40].tolist())) == len(set(label[40:].tolist())) == 1
    assert label[0] != label[79]


# --- rings and nothing ----------------------------------------------------------------------------------------------


def test_a_ring_too_weak_for_links_is_found_by_the_scan() -> None:
    rng = np.random.default_rng(0)
    rows = [*honest(rng), *ring(rng, "r", 20, 8), *ring(rng, "r", 20, 8, "card")]
    found = generic.link_traits(table(rows))
    assert together(found, "r") >= 18
    assert found.groups["found_by"].to_pylist() == ["scan"]
    (group,) = found.groups.to_pylist()
    assert (group["views"], group["accounts"] <= 21) == ("card,device", True)
    assert group["bits"] > 50
    assert found.calibration == generic.Calibration(0, 0)


def test_a_ring_with_rare_things_is_found_by_links() -> None:
    rng = np.random.default_rng(1)
    rows = [*honest(rng, 3000), *ring(rng, "r", 6, 3), *ring(rng, "r", 6, 3, "card")]
    found = generic.link_traits(table(rows))
    assert together(found, "r") == 6
    best = found.groups.to_pylist()[0]
    assert (best["accounts"], best["links"], best["found_by"], best["views"]) == (6, 15, "links", "card,device")


def test_two_rings_are_two_groups() -> None:
    rng = np.random.default_rng(2)
    found = generic.link_traits(table([*honest(rng, 2000), *ring(rng, "r", 12, 5), *ring(rng, "s", 12, 5)]))
    assert together(found, "r") == together(found, "s") == 12
    operator = dict(
        zip(found.operators["account_id"].to_pylist(), found.operators["operator_id"].to_pylist(), strict=True)
    )
    assert operator["r00"] != operator["s00"]


@pytest.mark.parametrize("seed", range(4))
def test_honest_logs_have_no_groups(seed: int) -> None:
    found = generic.link_traits(table(honest(np.random.default_rng(seed))), seed=seed)
    assert (len(found.links), len(found.groups)) == (0, 0)
    assert found.calibration == generic.Calibration(0, 0)


def test_what_everybody_has_links_nobody() -> None:
    rows = [(f"a{n}", "plan", "free", 1) for n in range(300)]
    found = generic.link_traits(table(rows))
    assert (len(found.links), len(found.groups), len(found.operators)) == (0, 0, 300)


@pytest.mark.parametrize(
    "rows", [[("a", "v", "t", 1)], [("a", "v", "t", 1), ("b", "v", "u", 1)], [("a", "country", "de", 1)]]
)
def test_logs_in_which_nothing_is_shared_have_lone_accounts(rows: list[Row]) -> None:
    found = generic.link_traits(table(rows))
    assert (len(found.links), len(found.groups), len(found.operators)) == (0, 0, len(rows))
    assert found.operators["proven"].to_pylist() == [True] * len(rows)


def test_every_account_has_one_row_and_the_tables_agree() -> None:
    rng = np.random.default_rng(3)
    rows = [*honest(rng, 1500), *ring(rng, "r", 10, 4), *ring(rng, "s", 4, 3)]
    found = generic.link_traits(table(rows))
    assert (found.links.schema, found.operators.schema, found.groups.schema) == (LINKS, OPERATORS, GROUPS)
    assert found.operators["account_id"].to_pylist() == sorted({row[0] for row in rows})
    size = {row["values"]: row["counts"] for row in pc.value_counts(found.operators["operator_id"]).to_pylist()}
    stated = {row["operator_id"]: row["accounts"] for row in found.groups.to_pylist()}
    assert stated == {operator: n for operator, n in size.items() if n > 1}


def test_the_order_of_rows_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    rows = [*honest(rng, 300), *ring(rng, "r", 15, 7), *ring(rng, "r", 15, 7, "card")]
    once = generic.link_traits(table(rows), seed=3)
    mixed = [rows[k] for k in rng.permutation(len(rows))]
    again = generic.link_traits(table(mixed), seed=3)
    assert once.operators.equals(again.operators)
    assert once.groups.equals(again.groups)
    assert once.links.equals(again.links)


def test_views_of_one_family_do_not_add() -> None:
    rng = np.random.default_rng(5)
    pair = [(who, view, f"{view}{k}", 1) for who in ("x", "y") for view in ("device", "card") for k in range(4)]
    rows = [*honest(rng, 600), *pair]
    one = {name: View(name, "control", "thing", "") for name in ("device", "card")}
    loose = generic.SETTINGS.model_copy(update={"fdr": 0.9})
    apart, same = (generic.link_traits(table(rows), views, loose) for views in ({}, one))

    def bits(found: generic.GenericResult) -> float:
        return max((row["bits"] for row in found.links.to_pylist() if row["account_a"] == "x"), default=0.0)

    assert bits(apart) > bits(same) + 5


def test_content_links_but_makes_no_group_and_context_does_neither() -> None:
    rng = np.random.default_rng(6)
    rows = [*honest(rng, 2000), *ring(rng, "r", 8, 3), *ring(rng, "r", 8, 3, "card")]
    for kind, kinds in (("content", {"content"}), ("context", set())):
        views = {name: View(name, kind, name, "") for name in ("device", "card")}  # type: ignore[arg-type]
        found = generic.link_traits(table(rows), views)
        assert set(found.links["kind"].to_pylist()) == kinds
        assert len(found.groups) == 0
        assert found.views["device"]["kind"] == kind


def test_calibration_counts_what_a_shuffle_shows() -> None:
    """A null that is told a tenth of each volume takes chance for links; the count shows it."""
    shared = small_null(60, 5, strata=False).shared
    order = orders([str(k) for k in range(60)], 8, 0)
    wrong = replace(shared, volume=shared.volume / 10)
    nobody = Strata.none(60)
    assert generic.calibrate(shared, nobody, order, generic.SETTINGS, 0) == generic.Calibration(0, 0)
    assert generic.calibrate(wrong, nobody, order, generic.SETTINGS, 0).links > 0
