from __future__ import annotations

from functools import cache
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from stillwatch.linking import calibration, groups
from stillwatch.linking import link as link_module
from stillwatch.linking.link import LinkResult, link
from stillwatch.linking.matrix import among
from stillwatch.linking.pairs import Pairs
from stillwatch.model import ACCOUNTS, LINKS, OPERATORS, TRAITS
from tests.linking.small import shared_tokens
from tests.linking.traitworld import TraitWorld, classroom, honest, ring, score, standard


@cache
def scanned() -> tuple[TraitWorld, LinkResult]:
    world = standard(4000, (240, 60, 12), seed=3)
    traits, accounts = world.tables()
    return world, link(traits, None, accounts)


def groups_of(operators: pa.Table) -> set[frozenset[str]]:
    out: dict[str, set[str]] = {}
    for account, operator in zip(
        operators["account_id"].to_pylist(), operators["operator_id"].to_pylist(), strict=True
    ):
        out.setdefault(operator, set()).add(account)
    return {frozenset(members) for members in out.values()}


def test_rings_are_found_apart_and_strangers_stay_out() -> None:
    world, result = scanned()
    found = score(result.operators, world.operators())
    for label in ("ring0", "ring1", "ring2"):
        recall, size = found[label]  # type: ignore[misc]
        members = sum(t == label for t in world.truth)
        assert recall >= 0.95, (label, found)
        assert size <= 1.02 * members + 2
    assert found["wrong"] <= 4000 / 2000


def test_tables_keep_the_contract() -> None:
    world, result = scanned()
    assert result.operators.schema.names == OPERATORS.names
    assert result.links.schema.names == LINKS.names
    assert sorted(result.operators["account_id"].to_pylist()) == sorted(world.operators())
    a, b = result.links["account_a"].to_pylist(), result.links["account_b"].to_pylist()
    assert all(x < y for x, y in zip(a, b, strict=True))
    assert set(result.links["kind"].to_pylist()) <= {"control", "content"}
    assert max(result.links["q"].to_pylist()) <= 0.01


def test_content_links_of_large_groups_are_those_of_some_members(monkeypatch: pytest.MonkeyPatch) -> None:
    world = standard(1500, (90,), seed=3)
    whole = link(*world.tables()[:1], None, world.tables()[1])
    monkeypatch.setattr(link_module, "CONTENT_MEMBERS", 20)
    some = link(*world.tables()[:1], None, world.tables()[1])
    assert some.operators.equals(whole.operators)
    pairs = [
        {(row["account_a"], row["account_b"]) for row in result.links.to_pylist() if row["kind"] == "content"}
        for result in (some, whole)
    ]
    assert 0 < len(pairs[0]) < len(pairs[1])


def test_views_may_come_one_at_a_time() -> None:
    world, whole = scanned()
    traits, accounts = world.tables()
    names = pc.unique(traits["view"]).to_pylist()
    apart = (traits.filter(pc.equal(traits["view"], name)) for name in names[::-1])
    some = link(apart, None, accounts)
    assert some.operators.equals(whole.operators)
    assert some.links.equals(whole.links)
    with pytest.raises(ValueError, match="two tables"):
        link([traits, traits], None, accounts)


def test_a_large_log_is_shuffled_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    world, whole = scanned()
    monkeypatch.setattr(calibration, "SHUFFLED", 300)
    some = link(*world.tables()[:1], None, world.tables()[1])
    assert some.operators.equals(whole.operators)
    assert some.links.equals(whole.links)
    assert some.false_links.keys() == whole.false_links.keys()
    assert max(some.false_links.values()) <= 2


def test_what_some_nodes_share_with_each_other() -> None:
    shared = shared_tokens(30, 2)
    nodes = np.array([3, 0, 17, 9, 21], np.int64)
    some = among(shared, nodes)
    rows = shared.rows.toarray()[nodes]
    for view in some.views:
        mine = rows[:, shared.view == shared.views.index(view)]
        v = some.views.index(view)
        np.testing.assert_array_equal(some.rows.toarray()[:, some.view == v], mine[:, mine.any(axis=0)])
        assert some.total[v] == mine.sum()
    np.testing.assert_array_equal(some.degree, some.rows.toarray().sum(axis=0))


def test_no_links_where_holders_were_drawn_anew() -> None:
    _, result = scanned()
    # q = .01: a discovery among nothing but null pairs is itself a rare event
    assert result.false_links["control"] <= 2
    assert result.false_links["content"] <= 2


def test_users_of_one_application_are_not_one_operator() -> None:
    world = TraitWorld(np.random.default_rng(8))
    honest(world, 3000, 0)
    traits, accounts = world.tables()
    found = score(link(traits, None, accounts).operators, world.operators())
    assert found["wrong"] == 0


def test_rows_may_come_in_any_order_and_in_pieces() -> None:
    world = TraitWorld(np.random.default_rng(5))
    honest(world, 600, 0)
    classroom(world, 40, 600)
    ring(world, "ring", 40, 640)
    traits, accounts = world.tables()
    once = link(traits, None, accounts)
    order = pa.array(np.random.default_rng(1).permutation(len(traits)))
    pieces = pa.concat_tables([traits.take(order), traits.slice(0, 500)])
    again = link(pieces, None, accounts.take(pa.array(np.random.default_rng(2).permutation(len(accounts)))))
    assert again.operators.equals(once.operators)
    assert again.links.equals(once.links)


def test_other_ids_give_the_same_ring() -> None:
    world = TraitWorld(np.random.default_rng(6))
    honest(world, 1500, 0)
    ring(world, "ring", 60, 1500)
    traits, accounts = world.tables()
    rename = {name: f"z{blake2b(name.encode(), digest_size=6).hexdigest()}" for name in world.operators()}
    other = [
        table.set_column(0, "account_id", pa.array([rename[x] for x in table["account_id"].to_pylist()]))
        for table in (traits, accounts)
    ]
    truth = world.operators()
    ours = {a for a, t in truth.items() if t == "ring"}
    first = max(groups_of(link(traits, None, accounts).operators), key=lambda g: len(g & ours))
    second = max(groups_of(link(other[0], None, other[1]).operators), key=lambda g: len(g & {rename[a] for a in ours}))
    assert {rename[a] for a in first} == second
    assert len(first & ours) >= 0.95 * len(ours)


def test_known_organisations_collapse_and_unverified_ones_do_not() -> None:
    ids = [f"a{k}" for k in range(8)]
    accounts = pa.table(
        {
            "account_id": ids,
            "org_id": ["known"] * 3 + ["claimed"] * 2 + ["big"] * 2 + [None],
            "verified": [True, False, None, False, None, None, None, True],
            "path": ["self_serve"] * 5 + ["enterprise", "self_serve", "self_serve"],
        }
    )
    result = link(TRAITS.empty_table(), None, accounts)
    assert groups_of(result.operators) == {
        frozenset(ids[:3]), frozenset(ids[5:7]), *(frozenset([x]) for x in (ids[3], ids[4], ids[7]))
    }  # fmt: skip
    assert result.nodes == {"accounts": 8, "nodes": 5, "collapsed": 5}


@pytest.mark.parametrize("known", [True, False])
def test_who_shares_a_home_with_one_of_a_known_organisation_is_linked_and_not_of_it(known: bool) -> None:
    world = TraitWorld(np.random.default_rng(9))
    honest(world, 600, 0)
    account, own = np.arange(600), np.arange(600)
    own[300] = own[100]
    for view in ("phone", "key", "conversation", "device", "wallet"):
        world.put(view, account, own)
    traits, accounts = world.tables()
    names = world.names().tolist()
    seats, seat, stranger = set(names[100:112]), names[100], names[300]
    ids = accounts["account_id"].to_pylist()
    table = pa.table(
        {"account_id": ids, "org_id": ["org" if x in seats else None for x in ids], "verified": [known] * len(ids)}
    )
    result = link(traits, None, table)
    pairs = {(row["account_a"], row["account_b"]) for row in result.links.to_pylist() if row["kind"] == "control"}
    stands_for_it = min(seats) if known else seat
    assert tuple(sorted((stands_for_it, stranger))) in pairs
    found = groups_of(result.operators)
    assert (frozenset(seats) in found) == known


@pytest.mark.parametrize("accounts", [None, ACCOUNTS.empty_table()])
def test_an_empty_log_has_no_operators(accounts: pa.Table | None) -> None:
    result = link(TRAITS.empty_table(), None, accounts)
    assert len(result.operators) == len(result.links) == 0


def test_a_lone_account_is_an_operator_of_one() -> None:
    traits = pa.table([["one"], ["address"], ["x"], [3]], schema=TRAITS)
    assert result_row(link(traits)) == ("one", 0.0, True)


def result_row(result: LinkResult) -> tuple[str, float, bool]:
    row = result.operators.to_pylist()[0]
    assert row["operator_id"].startswith("op_")
    assert len(row["operator_id"]) == 15
    return row["account_id"], row["membership_bits"], row["proven"]


def test_a_view_nobody_named_is_control_evidence() -> None:
    rng = np.random.default_rng(0)
    account = np.repeat(np.arange(2000), 3)
    token = rng.integers(0, 1500, 6000)
    pair = np.array([10, 20])
    account = np.concatenate([account, np.repeat(pair, 6)])
    token = np.concatenate([token, np.tile(np.arange(5000, 5006), 2)])
    traits = pa.table(
        [[f"a{x:05d}" for x in account], ["badge"] * len(account), [str(x) for x in token], [1] * len(account)],
        schema=TRAITS,
    )
    result = link(traits)
    assert [(r["account_a"], r["account_b"], r["kind"], r["views"]) for r in result.links.to_pylist()] == [
        ("a00010", "a00020", "control", "badge")
    ]
    assert frozenset(["a00010", "a00020"]) in groups_of(result.operators)


def test_groups_with_their_first_member_in_common_stay_two() -> None:
    def group(nodes: list[int], near: float) -> groups.Group:
        count = len(nodes)
        return groups.Group(np.array(nodes), np.zeros(count), np.ones(count, dtype=bool), near=np.full(count, near))

    none = np.empty(0, np.int64)
    belongs = link_module.assemble(
        8, Pairs(none, none, np.empty(0), none), [group([0, 1, 2], 1.0), group([0, 3, 4], 0.5)], np.zeros(8, bool), 0
    )
    members: dict[int, set[int]] = {}
    for node, operator in enumerate(belongs.operator.tolist()):
        members.setdefault(operator, set()).add(node)
    assert sorted(map(sorted, members.values())) == [[0, 1, 2], [3, 4], [5], [6], [7]]
