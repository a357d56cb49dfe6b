"""Every signal of the package keeps the contract: the merge law, invariance, 'not available', and no noise."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from datetime import timedelta
from functools import cache
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.linking.traits import from_sketches
from stillwatch.model import ACCOUNTS, LABELS, SKETCHES, TRAITS, Dimension
from stillwatch.population import Groups, Population
from stillwatch.signals import Signal, all_signals
from stillwatch.signals.summarise import columns
from tests.signals.builders import START, Row, event, population, run, run_merge, run_summarise, sketches, traits
from tests.signals.contract import answers, check_invariance, check_metadata
from tests.signals.random_world import SEEDS, world

SIGNALS = all_signals()
every_signal = pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)

ON_REQUIRED_COLUMNS = {"homogeneity", "load_balance", "release_pivot", "rhythm", "synchrony", "volume"}
"""Signals that live on time, account and model alone, and so have an answer in every log."""


# --- metadata ---------------------------------------------------------------------------------------------------------


@every_signal
def test_metadata(signal: Signal) -> None:
    check_metadata(signal)


def test_names_are_unique_and_all_four_dimensions_are_there() -> None:
    assert len(SIGNALS) >= 14
    assert max(Counter(signal.name for signal in SIGNALS).values()) == 1
    assert {signal.dimension for signal in SIGNALS} == set(Dimension)
    # one fact has one dimension: within it the larger one counts
    assert len({signal.fact for signal in SIGNALS}) == len({(signal.fact, signal.dimension) for signal in SIGNALS})


# --- the merge law ----------------------------------------------------------------------------------------------------


def any_sketch(seed: int) -> Row:
    """A row of `model.SKETCHES` with any column null that may be; all values follow from the seed."""
    rng = random.Random(seed)
    return {
        kept.name: _value(rng, kept.type) for kept in SKETCHES if not kept.nullable or rng.random() < 0.6
    } | {"account_id": rng.choice("ab")}  # fmt: skip


def _value(rng: random.Random, kind: pa.DataType) -> Any:
    if pa.types.is_timestamp(kind):
        # around midnights: where days are cut
        return START + timedelta(days=rng.randrange(3), microseconds=rng.choice([0, 1, 86_399_999_999, 3_600_000_000]))
    if pa.types.is_fixed_size_binary(kind):
        return rng.randbytes(kind.byte_width)
    if pa.types.is_floating(kind):
        return rng.choice([0.0, 0.5, 1.0, rng.random()])
    if pa.types.is_integer(kind):
        return rng.choice([0, 1, 2, 98, 100, 127 if kind.bit_width == 8 else 1_000_000])
    return rng.choice(["", "a", "b'\"--"])


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 2)), max_size=40))
@settings(max_examples=25, deadline=None)
def test_summaries_of_any_cut_merge_to_the_summaries_of_the_whole(cut: list[tuple[int, int]]) -> None:
    parts = [run_summarise(sketches(any_sketch(seed) for seed, part in cut if part == n)) for n in range(3)]
    whole = run_summarise(sketches(any_sketch(seed) for seed, _ in cut))
    a, b, c = parts
    assert run_merge(a, b, c).equals(whole)
    assert run_merge(c, a, b).equals(whole)
    assert run_merge(run_merge(a, b), c).equals(whole)
    assert run_merge(a, run_merge(b, c)).equals(whole)
    assert run_merge(whole).equals(whole)


def test_summaries_have_a_column_for_every_field_and_a_row_for_every_day() -> None:
    rows = [event("b", 23.99), event("a", 0), event("a", 24), event("a", 47)]
    table = run_summarise(sketches(rows))
    assert table.column_names == ["account_id", "day", *columns(SIGNALS)]
    assert table.select(["account_id", "day", "volume.events"]).to_pylist() == [
        {"account_id": "a", "day": START.date(), "volume.events": 1.0},
        {"account_id": "a", "day": START.date() + timedelta(days=1), "volume.events": 2.0},
        {"account_id": "b", "day": START.date(), "volume.events": 1.0},
    ]


@pytest.mark.parametrize("start", [0, 1000])
def test_the_traits_of_these_tests_are_those_of_the_product(start: int) -> None:
    rows = [any_sketch(seed) for seed in range(start, start + 300)] + (world(0).rows if start else [])
    # whole seconds: this is about what the views hold, not about how an engine rounds the last moment of an hour
    rows = [{**row, "time": row["time"].replace(microsecond=0)} for row in rows]
    views = ("lead_skeleton", "item_sample", "active_hour", "model_day")
    made = run(sketches(rows), lambda of: ibis.union(*from_sketches(of)).filter(lambda t: t["view"].isin(views)))
    assert Counter(map(astuple, made.to_pylist())) == Counter(map(astuple, traits(rows).to_pylist()))


def astuple(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in TRAITS.names)


# --- invariance -------------------------------------------------------------------------------------------------------


@every_signal
@given(st.sampled_from(SEEDS), st.integers(0, 10**6))
@settings(max_examples=6, deadline=None)
def test_order_and_company_do_not_matter(signal: Signal, seed: int, shuffle: int) -> None:
    here = world(seed)
    place = {str(name): row for row, name in enumerate(here.population.ids)}
    lists = [np.asarray([place[name] for name in members], dtype=np.int64) for members in here.groups]
    check_invariance(signal, here.population, lists, random.Random(shuffle))


# --- not available ----------------------------------------------------------------------------------------------------


@cache
def bare() -> Population:
    """A log of nothing but time, account and model; busy enough for every signal that can live on that."""
    rng = random.Random(7)
    rows = [event(f"a{n % 12}", rng.uniform(0, 120), model=rng.choice("mn")) for n in range(1500)]
    return population(rows, releases=[("n", START + timedelta(days=2))])


@every_signal
def test_without_its_columns_a_signal_has_no_answer(signal: Signal) -> None:
    groups = Groups.of([np.arange(12), np.arange(6), np.arange(6, 12)], 12)
    got = answers(signal, bare(), groups)
    assert np.isfinite(got).all() if signal.name in ON_REQUIRED_COLUMNS else np.isnan(got).all()


TEXT = ("lead_skeleton", "item", *LABELS)


@pytest.mark.parametrize("name", ["coverage", "elicitation", "grading", "skeleton_concentration", "task_bank"])
def test_a_log_without_content_has_no_answer_on_content(name: str) -> None:
    signal = next(signal for signal in SIGNALS if signal.name == name)
    here = world(0)
    stripped = [{k: v for k, v in row.items() if k not in TEXT} for row in here.rows]
    log = population(stripped, accounts=here.accounts)
    assert np.isnan(answers(signal, log, Groups.of([np.arange(len(log))], len(log)))).all()
    whole = Groups.of([np.arange(len(here.population))], len(here.population))
    assert np.isfinite(answers(signal, here.population, whole)).all()


@every_signal
def test_small_groups_have_no_answer(signal: Signal) -> None:
    here = world(1).population
    sizes = range(signal.min_accounts)
    small = Groups.of([np.arange(size) for size in sizes], len(here))
    assert np.isnan(answers(signal, here, small)).all()


# --- no noise ---------------------------------------------------------------------------------------------------------


ODD = (
    "no events", "accounts without events", "one account", "no traits", "all-null accounts", "empty accounts table",
    "accounts of another log", "no accounts table", "not linked", "chunked tables",
)  # fmt: skip


@cache
def odd(name: str) -> Population:
    """A log that lacks something although all columns are said to be there."""
    base = _whole()
    one = [event("only", turns=1, choices=2, input_tokens=0, cached_tokens=0, max_tokens=0, output_tokens=0)]
    if name == "no events":
        base = population([])
    elif name == "accounts without events":
        base = population([], ids=list("abcdef"))
    elif name == "one account":
        base = population(one, accounts=[{"account_id": "only"}], hand={})
    accounts = {
        "all-null accounts": pa.Table.from_pylist([{"account_id": str(n)} for n in base.ids], ACCOUNTS),
        "empty accounts table": ACCOUNTS.empty_table(),
        "accounts of another log": pa.Table.from_pylist([{"account_id": "another"}], ACCOUNTS),
        "no accounts table": None,
    }
    traits, summaries = base.traits_table, base.summaries
    if name == "no traits":
        traits = traits.slice(0, 0)
    elif name == "chunked tables":
        traits = pa.concat_tables([traits.slice(0, 99), traits.slice(99)])
        summaries = pa.concat_tables([summaries.slice(0, 9), summaries.slice(9)])
    return dataclasses.replace(
        base,
        accounts=accounts.get(name, base.accounts),
        traits_table=traits,
        summaries=summaries,
        hand=None if name == "not linked" else base.hand,
        available=frozenset(f"{t}.{n}" for t, s in (("events", SKETCHES), ("accounts", ACCOUNTS)) for n in s.names),
    )


@cache
def _whole() -> Population:
    here = world(2)
    return population(here.rows, accounts=here.accounts, hand=here.hand, releases=here.releases)


@every_signal
@pytest.mark.parametrize("name", ODD)
def test_odd_logs_raise_and_warn_of_nothing(signal: Signal, name: str) -> None:
    log = odd(name)
    size = len(log)
    for lists in ([], [np.arange(0)], [np.arange(size)], [np.arange(size), np.arange(0), np.arange(min(size, 3))]):
        answers(signal, log, Groups.of(lists, size))
    answers(signal, log, Groups.singles(size))


@every_signal
def test_chunks_of_a_table_do_not_matter(signal: Signal) -> None:
    chunked = odd("chunked tables")
    whole = dataclasses.replace(_whole(), available=chunked.available)
    groups = Groups.of([np.arange(len(whole)), np.arange(5)], len(whole))
    np.testing.assert_array_equal(answers(signal, whole, groups), answers(signal, chunked, groups))
