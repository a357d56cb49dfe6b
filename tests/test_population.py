"""Populations and groups against plain Python."""

from __future__ import annotations

import dataclasses
import math
import statistics as stats
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.model import ACCOUNTS, TRAITS
from stillwatch.population import Floats, Groups, Population, ratio
from tests.signals.builders import START, event, population

NAN = float("nan")
N = 12
values = st.lists(st.just(NAN) | st.floats(-1e6, 1e6), min_size=N, max_size=N).map(np.asarray)
lists = st.lists(st.lists(st.integers(0, N - 1), unique=True, max_size=N), max_size=6)


def groups_of(rows: list[list[int]]) -> Groups:
    return Groups.of([np.asarray(own, dtype=np.int64) for own in rows], N)


def known(own: list[int], of: Floats) -> list[float]:
    return [float(of[row]) for row in own if not math.isnan(of[row])]


# --- groups -----------------------------------------------------------------------------------------------------------


@given(values, lists)
def test_sums_counts_means_and_spreads_are_those_of_the_members_that_have_a_value(
    of: Floats,
    rows: list[list[int]],
) -> None:
    groups = groups_of(rows)
    assert len(groups) == len(rows)
    mine = [known(own, of) for own in rows]
    np.testing.assert_array_equal(groups.sizes, [len(own) for own in rows])
    np.testing.assert_array_equal(groups.count(of), [len(own) for own in mine])
    np.testing.assert_allclose(groups.sum(of), [math.fsum(own) for own in mine], atol=1e-6)
    np.testing.assert_allclose(groups.mean(of), [stats.fmean(own) if own else NAN for own in mine], atol=1e-6)
    expected = [stats.stdev(own) if len(own) >= 3 else NAN for own in mine]
    np.testing.assert_allclose(groups.sd(of), expected, rtol=1e-6, atol=1e-6)


@given(st.lists(st.integers(-1, 4), min_size=N, max_size=N), lists)
def test_distinct_codes(codes: list[int], rows: list[list[int]]) -> None:
    distinct, with_code = groups_of(rows).distinct(np.asarray(codes))
    mine = [[codes[row] for row in own if codes[row] >= 0] for own in rows]
    assert distinct.tolist() == [len(set(own)) for own in mine]
    assert with_code.tolist() == [len(own) for own in mine]
    assert groups_of(rows).largest(np.asarray(codes)).tolist() == [max(map(own.count, own), default=0) for own in mine]


def test_the_spread_of_large_and_nearly_equal_values_is_not_lost() -> None:
    of: Floats = 1e9 + np.arange(float(N)) * 1e-3
    assert groups_of([list(range(N))]).sd(of)[0] == pytest.approx(stats.stdev(range(N)) * 1e-3, rel=1e-3)


def test_an_infinite_value_is_no_value() -> None:
    of = np.ones(N)
    of[0], of[1] = np.inf, -np.inf
    groups = groups_of([list(range(N))])
    assert groups.sum(of)[0] == groups.count(of)[0] == N - 2
    assert groups.sd(of)[0] == 0


def test_no_groups_and_empty_groups() -> None:
    for groups, size in ((Groups.of([], N), 0), (Groups.of([np.arange(0)], N), 1), (Groups.singles(0), 0)):
        n = groups.members.shape[1]
        assert len(groups) == len(groups.sizes) == size
        assert len(groups.sum(np.ones(n))) == len(groups.sd(np.ones(n))) == size
        assert all(len(part) == size for part in groups.distinct(np.zeros(n, dtype=np.int64)))


def test_singles_are_the_accounts() -> None:
    of = np.arange(5.0)
    np.testing.assert_array_equal(Groups.singles(5).sum(of), of)
    np.testing.assert_array_equal(Groups.singles(5).group_of, np.arange(5))


def test_ratio_has_no_value_unless_it_divides_by_more_than_nought() -> None:
    above, below = np.array([1.0, 1.0, 1.0, 1.0, 0.0]), np.array([2.0, 0.0, -1.0, NAN, 4.0])
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(ratio(above, below), [0.5, NAN, NAN, NAN, 0.0])


# --- tables as arrays -------------------------------------------------------------------------------------------------


def traits_of(*rows: tuple[Any, ...]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(TRAITS.names, row, strict=True)) for row in rows], schema=TRAITS)


@cache
def two() -> Population:
    return population([event("b"), event("a")], ids=["b", "a"])


def with_traits(table: pa.Table) -> Population:
    return dataclasses.replace(two(), traits_table=table)


name = st.sampled_from("ab")
tokens = st.text(max_size=4).filter(lambda text: not any(0xD800 <= ord(c) < 0xE000 for c in text))


@given(st.lists(st.tuples(name, st.sampled_from(["v", "w"]), tokens, st.integers(1, 9)), max_size=20), st.booleans())
@settings(max_examples=50, deadline=None)
def test_traits_are_the_rows_of_their_view(rows: list[tuple[str, str, str, int]], encoded: bool) -> None:
    table = traits_of(*rows)
    if encoded:
        table = table.set_column(2, "token", table["token"].dictionary_encode())
    use, names = with_traits(table).traits("v")
    mine = [row for row in rows if row[1] == "v"]
    assert names.tolist() == sorted({row[2] for row in mine})
    for account, number in (("b", 0), ("a", 1)):
        for place, token in enumerate(names.tolist()):
            assert use[number, place] == sum(n for who, _, what, n in mine if (who, what) == (account, token))


def test_one_long_token_does_not_make_all_of_them_long() -> None:
    long = "x" * 100_000
    _, names = with_traits(traits_of(*[("a", "v", str(n), 1) for n in range(20_000)], ("b", "v", long, 1))).traits("v")
    assert names.nbytes < 1_000_000
    assert names[-1] == long


def test_rows_of_other_accounts_and_without_a_token_are_left_out() -> None:
    use, names = with_traits(traits_of(("a", "v", "t", 2), ("stranger", "v", "t", 5), ("a", "v", None, 7))).traits("v")
    assert names.tolist() == ["t"]
    assert use.toarray().tolist() == [[0], [2]]


def test_totals_and_days() -> None:
    rows = [event("a", 0, input_tokens=3), event("a", 1, input_tokens=4), event("a", 72), event("b", 24)]
    log = population(rows, ids=["b", "never", "a"])
    assert log.days.tolist() == [datetime(2026, 3, day, tzinfo=UTC).date() for day in (2, 3, 5)]
    np.testing.assert_array_equal(log.total("volume.input_tokens"), [NAN, NAN, 7])
    np.testing.assert_array_equal(log.daily("volume.events"), [[0, 1, 0], [0, 0, 0], [2, 0, 1]])
    first = START.timestamp()
    np.testing.assert_array_equal(log.total("volume.first_seen", "min"), [first + 86_400, NAN, first])
    np.testing.assert_array_equal(log.total("volume.last_seen", "max"), [first + 86_400, NAN, first + 3 * 86_400])


def test_a_stray_date_costs_one_day() -> None:
    log = population([event("a", 0), event("a", -24 * 365 * 56)])
    assert log.daily("volume.events").shape == (1, 2)


def test_declared_columns_follow_the_ids() -> None:
    accounts: list[dict[str, Any]] = [
        {"account_id": "a", "org_id": "o1", "quota_per_day": 5, "created_at": START},
        {"account_id": "stranger", "org_id": "o2", "quota_per_day": 9},
        {"account_id": "b", "org_id": "o1"},
    ]
    log = population([event("a"), event("b"), event("c")], accounts=accounts, ids=["c", "b", "a"])
    np.testing.assert_array_equal(log.numbers("quota_per_day"), [NAN, NAN, 5])
    unknown, b, a = log.codes("org_id")
    assert unknown == -1
    assert b == a >= 0
    created = log.instants("created_at")
    assert np.isnat(created).tolist() == [True, True, False]
    assert created[2] == np.datetime64(START.replace(tzinfo=None), "us")
    assert (log.codes("phone_id") == -1).all()


@pytest.mark.parametrize("accounts", [None, ACCOUNTS.empty_table()])
def test_without_an_accounts_table_everything_declared_is_unknown(accounts: pa.Table | None) -> None:
    log = dataclasses.replace(population([event("a"), event("b")]), accounts=accounts)
    assert (log.codes("org_id") == -1).all()
    assert np.isnan(log.numbers("quota_per_day")).all()
    assert np.isnat(log.instants("created_at")).all()


def test_a_population_with_other_accounts_does_not_remember_the_first_ones() -> None:
    log = population([event("a")], accounts=[{"account_id": "a", "quota_per_day": 5}])
    assert log.numbers("quota_per_day").tolist() == [5]
    table = pa.Table.from_pylist([{"account_id": "a", "quota_per_day": 7}], schema=ACCOUNTS)
    assert dataclasses.replace(log, accounts=table).numbers("quota_per_day").tolist() == [7]


def test_what_is_derived_is_derived_once() -> None:
    log, made = population([event("a")]), []

    def make(of: Population) -> int:
        made.append(of)
        return len(of)

    assert [log.keep("x", make) for _ in range(3)] == [1, 1, 1]
    assert len(made) == 1
    assert log.traits("model_day")[0] is log.traits("model_day")[0]


def test_what_the_log_lacks() -> None:
    log = population([event("a", output_tokens=3)], accounts=[{"account_id": "a", "created_at": START}])
    assert log.lacks(["events.output_tokens", "events.max_tokens", "accounts.created_at", "accounts.closed_at"]) == [
        "events.max_tokens",
        "accounts.closed_at",
    ]
