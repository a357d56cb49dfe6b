"""A population from a list of row dictionaries, and what a slow twin needs; nothing of the production trait code.

A row is an event: `time` (datetime, UTC), `account_id`, `model` and any other column of `model.SKETCHES`.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from stillwatch.model import ACCOUNTS, SKETCHES, TRAITS
from stillwatch.population import Authorisation, Floats, Groups, Population
from stillwatch.signals import Signal, all_signals
from stillwatch.signals.summarise import merge, summarise

Row = dict[str, Any]
START = datetime(2026, 3, 2, tzinfo=UTC)
_number = itertools.count()


def event(account: str, hours: float = 0.0, **values: Any) -> Row:
    """An event of `account`, that many hours after `START`."""
    return {"account_id": account, "time": START + timedelta(hours=hours), "model": "m", **values}


def sketches(rows: Iterable[Row]) -> pa.Table:
    """Rows as a table of sketches; columns that a row lacks are null."""
    fixed = [{"event_id": f"e{next(_number)}", "source_id": 0, "source_row": 1, "model": "m", **row} for row in rows]
    return pa.Table.from_pylist(fixed, schema=SKETCHES)


@cache
def backend() -> Any:
    """DuckDB in memory, in UTC whatever the machine's zone."""
    connection = ibis.duckdb.connect(threads=1)
    connection.raw_sql("SET TimeZone = 'UTC'")
    return connection


def summaries(rows: Iterable[Row]) -> pa.Table:
    return run_summarise(sketches(rows))


def run_summarise(table: pa.Table) -> pa.Table:
    return run(table, lambda source: summarise(source, all_signals()))


def run_merge(*tables: pa.Table) -> pa.Table:
    return run(pa.concat_tables(tables), lambda source: merge(source, all_signals()))


def run(table: pa.Table, step: Callable[[ir.Table], ir.Table]) -> pa.Table:
    """The rows of an expression over a table in memory."""
    # registered by hand: what `create_table` of ibis 12.0 says, DuckDB 2.0 does not parse
    name = f"t{next(_number)}"
    backend().con.register(name, table)
    try:
        return backend().to_pyarrow(step(backend().table(name)))
    finally:
        backend().con.unregister(name)


def traits(rows: Iterable[Row]) -> pa.Table:
    """The four views that signals read, written from their definitions, in an order of no meaning."""
    seen: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        account, time = row["account_id"], row["time"].astimezone(UTC)
        lead, item, turns = row.get("lead_skeleton"), row.get("item"), row.get("turns")
        if lead is not None:
            seen[account, "lead_skeleton", str(lead)] += 1
        if item is not None and item % 4 == 0:
            seen[account, "item_sample", f"{'-' if lead is None else lead}:{item}"] += 1
        if turns is None or turns <= 1:
            seen[account, "active_hour", str(int(time.timestamp()) // 3600)] += 1
        seen[account, "model_day", f"{row.get('model', 'm')}|{time:%Y-%m-%d}"] += 1
    # in reverse: nobody may rely on an order
    return pa.Table.from_pylist(
        [{"account_id": a, "view": v, "token": t, "n": n} for (a, v, t), n in sorted(seen.items(), reverse=True)],
        schema=TRAITS,
    )


def population(
    rows: Sequence[Row],
    *,
    accounts: Sequence[Mapping[str, Any]] | None = None,
    ids: Sequence[str] | None = None,
    hand: Mapping[str, int] | None = None,
    releases: Sequence[tuple[str, datetime]] = (),
    authorised: Mapping[str, Authorisation] | None = None,
) -> Population:
    """A population of the accounts of `rows` (and of `ids`, in that order, where given)."""
    names = list(ids) if ids is not None else sorted({row["account_id"] for row in rows})
    place = {name: number for number, name in enumerate(names)}
    return Population(
        ids=np.asarray(names, dtype=np.str_),
        summaries=summaries(rows),
        traits_table=traits(rows),
        accounts=None if accounts is None else pa.Table.from_pylist(list(map(dict, accounts)), schema=ACCOUNTS),
        hand=None if hand is None else np.array([hand.get(name, -1) for name in names], dtype=np.int64),
        releases=releases,
        authorised={place[name]: value for name, value in (authorised or {}).items()},
        available=frozenset(
            [f"events.{name}" for name in SKETCHES.names if any(row.get(name) is not None for row in rows)]
            + [f"accounts.{name}" for name in ACCOUNTS.names if any(a.get(name) is not None for a in accounts or ())]
        ),
    )


def groups(of: Population, lists: Sequence[Iterable[str]]) -> Groups:
    """Groups of account ids."""
    place = {str(name): number for number, name in enumerate(of.ids)}
    return Groups.of([np.asarray([place[name] for name in names], dtype=np.int64) for names in lists], len(of))


def statistics(signal: Signal, of: Population, lists: Sequence[Iterable[str]]) -> Floats:
    """A signal's statistic of each group of account ids."""
    return signal.statistics(of, groups(of, lists))


def statistic(signal: Signal, of: Population, members: Iterable[str]) -> float:
    return float(statistics(signal, of, [list(members)])[0])


def by_account(rows: Iterable[Row], members: Iterable[str]) -> dict[str, list[Row]]:
    """The members' events, by member."""
    out: dict[str, list[Row]] = defaultdict(list, {name: [] for name in members})
    for row in rows:
        if row["account_id"] in out:
            out[row["account_id"]].append(row)
    return dict(out)


def pooled(rows: Iterable[Row], members: Iterable[str]) -> list[Row]:
    """The members' events."""
    return [row for own in by_account(rows, members).values() for row in own]
