"""Operators keep their ids: by named cases, by properties, and against a slow twin."""

from __future__ import annotations

import random
from collections import Counter

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.linking.identity import carry, merged, remember
from stillwatch.linking.operators import name
from stillwatch.model import OPERATORS

COLUMNS = ("account_id", "operator_id", "proven")
Parts = dict[str, str]
"""Operator id -> its accounts, one letter each; capital letters are proven, small ones are not."""


def operators(parts: Parts) -> pa.Table:
    rows = [
        {"account_id": account.lower(), "operator_id": operator, "membership_bits": 1.0, "proven": account.isupper()}
        for operator, accounts in parts.items()
        for account in accounts
    ]
    rows.sort(key=lambda row: str(row["account_id"]))
    return pa.Table.from_pylist(rows, schema=OPERATORS)


def parts(table: pa.Table) -> Parts:
    out: dict[str, str] = {}
    for account, operator, proven in zip(*(table[c].to_pylist() for c in COLUMNS), strict=True):
        out[operator] = out.get(operator, "") + (account.upper() if proven else account)
    return out


def carried(before: Parts, now: Parts) -> Parts:
    return parts(carry(operators(before), operators(now)))


def test_an_operator_that_grows_keeps_its_id() -> None:
    assert carried({"X": "BCD", "Y": "E"}, {"n1": "ABCDF", "n2": "E"}) == {"X": "ABCDF", "Y": "E"}


def test_of_an_operator_that_splits_the_larger_part_keeps_the_id() -> None:
    assert carried({"X": "ABCDE"}, {"n1": "AB", "n2": "CDE"}) == {"n1": "AB", "X": "CDE"}


def test_of_operators_that_merge_the_larger_id_survives_and_the_other_is_recorded() -> None:
    before, now = operators({"X": "AB", "Y": "CDE"}), operators({"n1": "ABCDE"})
    assert parts(carry(before, now)) == {"Y": "ABCDE"}
    assert merged(before, carry(before, now)).to_pylist() == [{"operator_id": "X", "merged_into": "Y"}]


def test_lone_accounts_that_join_are_no_merger() -> None:
    before, now = operators({"X": "AB", "Y": "C"}), operators({"n": "ABC"})
    assert len(merged(before, carry(before, now))) == 0


def test_the_larger_part_keeps_the_id_where_a_greatest_matching_would_give_it_to_the_smaller() -> None:
    now = {"P": "ABCDEFKLMN", "Q": "GHIJ"}
    assert carried({"X": "ABCDEFGHIJ", "Y": "KLMN"}, now) == {"X": "ABCDEFKLMN", "Q": "GHIJ"}


def test_ties_go_to_the_least_old_id_and_then_to_the_least_account() -> None:
    assert carried({"Y": "AB", "X": "CD"}, {"n": "ABCD"}) == {"X": "ABCD"}
    assert carried({"X": "ABCD"}, {"n2": "CD", "n1": "AB"}) == {"X": "AB", "n2": "CD"}


def test_one_shared_core_member_is_enough_while_all_others_are_banned_and_replaced() -> None:
    assert carried({"X": "ABCDE"}, {"n": "EFGHI"}) == {"X": "EFGHI"}


def test_a_shared_member_that_was_not_proven_is_not_enough() -> None:
    assert carried({"X": "ABCd"}, {"n": "DEF"}) == {"n": "DEF"}
    assert carried({"X": "abcd"}, {"n": "DEF"}) == {"X": "DEF"}, "where none is proven all are the core"


def test_a_lone_account_carries_on_an_operator_of_several_only_as_its_last() -> None:
    assert carried({"X": "AB"}, {"n1": "A", "n2": "B"}) == {"n1": "A", "n2": "B"}
    assert carried({"X": "AB"}, {"n1": "A"}) == {"X": "A"}


def test_nobody_new_gets_an_id_that_another_bore() -> None:
    found = carried({"X": "ABCDE"}, {"X": "AB", "n": "CDE"})
    assert found["X"] == "CDE"
    assert found == {"X": "CDE", name("a\0001"): "AB"}


def test_an_operator_that_is_lost_for_a_day_comes_back_under_its_id() -> None:
    memory = operators({"X": "ABC", "Y": "D"})
    alone = carry(memory, operators({"n1": "A", "n2": "B", "n3": "C", "n4": "D"}))
    assert "X" not in parts(alone)
    memory = remember(memory, alone)
    assert parts(carry(memory, operators({"m": "ABCE", "k": "D"}))) == {"X": "ABCE", "Y": "D"}


def test_an_account_that_is_left_over_after_a_merger_does_not_revive_the_old_operator() -> None:
    memory = operators({"X": "ABC", "Y": "DEFG"})
    now = carry(memory, operators({"n": "ABDEFG", "c": "C"}))
    assert parts(now) == {"Y": "ABDEFG", "c": "C"}
    memory = remember(memory, now)
    assert parts(carry(memory, operators({"n": "ABDEFG", "c": "C"}))) == {"Y": "ABDEFG", "c": "C"}


def test_accounts_that_left_the_log_are_remembered() -> None:
    memory = operators({"X": "ABC"})
    memory = remember(memory, carry(memory, operators({"d": "D"})))
    assert parts(carry(memory, operators({"n": "ABC", "d": "D"}))) == {"X": "ABC", "d": "D"}


def test_nothing_before_changes_nothing() -> None:
    now = operators({"n1": "AB", "n2": "c"})
    assert carry(OPERATORS.empty_table(), now).equals(now)


# --- properties -----------------------------------------------------------------------------------------------------

LETTERS = "abcdefghijkl"


@st.composite
def tables(draw: st.DrawFn, prefix: str) -> pa.Table:
    """Any partition of any of the accounts, named after the least account, or by a number."""
    chosen = draw(st.lists(st.sampled_from(LETTERS), unique=True, max_size=len(LETTERS)))
    labels = [draw(st.integers(0, 4)) for _ in chosen]
    proven = [draw(st.booleans()) for _ in chosen]
    grouped: dict[int, str] = {}
    for account, label, sure in zip(chosen, labels, proven, strict=True):
        grouped[label] = grouped.get(label, "") + (account.upper() if sure else account)
    plain = draw(st.booleans())
    named = {(name(min(v.lower())) if plain else f"{prefix}{k}"): v for k, v in grouped.items()}
    return operators(named)


def twin(previous: pa.Table, current: pa.Table) -> dict[str, str]:
    """Old id each new operator keeps: all pairs looked at again and again, the best one taken out."""
    before, now = parts(previous), parts(current)
    out: dict[str, str] = {}
    while True:
        best = None
        for old, old_members in before.items():
            if old in out.values():
                continue
            core = {a.lower() for a in old_members if a.isupper()} or set(old_members.lower())
            survivors = [a for a in old_members.lower() if any(a in members.lower() for members in now.values())]
            for new, members in now.items():
                shared_core = len(core & set(members.lower()))
                alone = len(members) == 1 and len(survivors) > 1
                if new in out or not shared_core or alone:
                    continue
                shared = len(set(old_members.lower()) & set(members.lower()))
                key = (-shared_core, -shared, old, min(members.lower()), new)
                best = min(best or key, key)
        if best is None:
            return out
        out[best[4]] = best[2]


@given(tables("p"), tables("c"))
def test_ids_are_those_of_the_slow_twin(previous: pa.Table, current: pa.Table) -> None:
    expected, after = twin(previous, current), carry(previous, current)
    got = dict(zip(current["operator_id"].to_pylist(), after["operator_id"].to_pylist(), strict=True))
    old_ids = set(previous["operator_id"].to_pylist())
    for new, given_id in got.items():
        if new in expected:
            assert given_id == expected[new]
        else:
            assert given_id not in old_ids


@given(tables("p"), tables("c"))
def test_groups_are_not_touched_and_ids_are_one_to_one(previous: pa.Table, current: pa.Table) -> None:
    after = carry(previous, current)
    assert after.drop_columns(["operator_id"]).equals(current.drop_columns(["operator_id"]))
    assert sorted(parts(after).values()) == sorted(parts(current).values())


@given(tables("p"), tables("c"))
def test_a_second_run_changes_nothing(previous: pa.Table, current: pa.Table) -> None:
    once = carry(previous, current)
    assert carry(previous, once).equals(once)
    assert carry(current, current).equals(current)


@given(tables("p"), tables("c"), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(previous: pa.Table, current: pa.Table, rng: random.Random) -> None:
    orders = [pa.array(rng.sample(range(len(table)), len(table)), pa.int64()) for table in (previous, current)]
    mixed = [table.take(order) for table, order in zip((previous, current), orders, strict=True)]
    assert carry(*mixed).sort_by("account_id").equals(carry(previous, current).sort_by("account_id"))


@given(st.lists(st.sets(st.integers(0, 30), min_size=3), min_size=2, max_size=8))
def test_the_id_lives_on_while_one_member_of_the_core_is_shared(days: list[set[int]]) -> None:
    """Day by day, members are banned and replaced; every day's accounts are all proven and nobody else is there."""
    memory, ids, last = OPERATORS.empty_table(), [], set[int]()
    for fresh in days:
        members = fresh | ({min(last)} if last else set())
        rows = [{"account_id": f"{m:02}", "operator_id": f"n{min(members)}", "proven": True} for m in sorted(members)]
        now = carry(memory, pa.Table.from_pylist(rows, schema=OPERATORS))
        ids.append(now["operator_id"][0].as_py())
        memory, last = remember(memory, now), members
    assert len(set(ids)) == 1


@given(tables("p"), st.lists(tables("c"), max_size=5))
def test_memory_names_every_account_once(start: pa.Table, looks: list[pa.Table]) -> None:
    memory, everybody = start, set(start["account_id"].to_pylist())
    for look in looks:
        now = carry(memory, look)
        memory = remember(memory, now)
        everybody |= set(look["account_id"].to_pylist())
        assert Counter(memory["account_id"].to_pylist()) == Counter(everybody)
        for operator in set(now["operator_id"].to_pylist()) & set(memory["operator_id"].to_pylist()):
            assert not set(parts(now)[operator].lower()) - set(parts(memory)[operator].lower())


def test_a_hand_found_among_many_lone_accounts_takes_the_least_of_their_ids() -> None:
    size = 20_000
    ids = [f"{k:06}" for k in range(size)]
    lone = [{"account_id": i, "operator_id": f"l{i}", "proven": True} for i in ids]
    large = [row | {"operator_id": "n"} if k < size // 4 else row for k, row in enumerate(lone)]
    after = carry(pa.Table.from_pylist(lone, schema=OPERATORS), pa.Table.from_pylist(large, schema=OPERATORS))
    expected = [f"l{i}" if k >= size // 4 else "l000000" for k, i in enumerate(ids)]
    assert after["operator_id"].to_pylist() == expected
