"""Which row of an event stays, against its definition written out."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.ingest.duplicates import find
from stillwatch.model import SKETCHES

Rows = list[dict[str, Any]]


def row(rng: random.Random, place: int) -> dict[str, Any]:
    """A sketch with few values to choose from, so that ids, times and columns fall together."""
    values: dict[str, Any] = dict.fromkeys(SKETCHES.names)
    return values | {
        "event_id": rng.choice("abc"), "source_id": 0, "source_row": place + 1,
        "time": datetime(2026, 9, 1, tzinfo=UTC) + timedelta(hours=rng.randrange(3)),
        "account_id": rng.choice("xy"), "model": rng.choice("mn"), "country": rng.choice([None, "DE", "US"]),
        "vector": rng.choice([None, b"\x01" * 64, b"\x02" * 64]), "item": rng.choice([None, 1, 2**63 + 5]),
    }  # fmt: skip


def losers(tables: list[Rows]) -> set[tuple[int, int]]:
    """(table, place) of all rows but the least of each id; nulls come last, and of like rows the earlier one stays.

    The first table is the new one: it comes after the others.
    """
    where = ("event_id", "source_id", "source_row")
    first = ("time", "account_id")
    order = [*first, *(name for name in SKETCHES.names if name not in (*where, *first))]
    groups: dict[str, list[tuple[Any, int, int]]] = defaultdict(list)
    for number, rows in enumerate(tables):
        for place, values in enumerate(rows):
            key = [(values[name] is None, 0 if values[name] is None else values[name]) for name in order]
            groups[values["event_id"]].append(((key, number == 0, number, place), number, place))
    return {(number, place) for group in groups.values() for _, number, place in sorted(group)[1:]}


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 12))
def test_the_rows_that_go_are_those_of_the_definition(
    seed: int, size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, rng = tmp_path_factory.mktemp("twice"), random.Random(seed)
    new = [row(rng, place) for place in range(size)]
    seen: set[str] = set()
    older: list[Rows] = []
    for _ in range(rng.randrange(3)):
        # no id twice among the older tables
        rows = [one for one in (row(rng, 0), row(rng, 1)) if one["event_id"] not in seen]
        rows = [one for k, one in enumerate(rows) if one["event_id"] not in {r["event_id"] for r in rows[:k]}]
        seen |= {one["event_id"] for one in rows}
        older.append(rows)
    paths = []
    for number, rows in enumerate([new, *older]):
        paths.append(folder / f"{number}.parquet")
        pq.write_table(pa.Table.from_pylist(rows, schema=SKETCHES), paths[-1])
    found = find(paths[0], folder / "scratch", older=paths[1:]).to_pylist()
    assert {(one["file"], one["place"]) for one in found} == losers([new, *older])
