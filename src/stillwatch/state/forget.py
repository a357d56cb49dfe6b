"""Forgetting an account, and days that are older than what is retained: deleted from every file of the state."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.engine.duckdb import duckdb_in
from stillwatch.engine.room import Room
from stillwatch.engine.runfolder import RunFolder
from stillwatch.errors import UsageError
from stillwatch.ingest.exemplars import Exemplars
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.model import OPERATORS as OPERATORS_SCHEMA
from stillwatch.state.contents import Batch, Memory
from stillwatch.state.folder import BATCHES, OPERATORS, State
from stillwatch.state.rewrite import FORGOTTEN, RETIRED, days_in, rewritten


@dataclass(frozen=True)
class Deleted:
    """Accounts of which anything was there, and events."""

    accounts: int = 0
    events: int = 0


def forget(state: State, named: Iterable[str], pseudonyms: Pseudonyms) -> Deleted:
    """Delete accounts, named by their id in the log or by their pseudonym, and take them in no more."""
    ids = {one for name in named for one in (name, pseudonyms.one("account_id", name))}
    if not ids:
        return Deleted()
    if "" in ids:
        raise UsageError("--forget: an account's id is not empty")
    tombs = sorted({*state.contents.forgotten, *map(state.contents.tombstone, ids)})
    found: set[str] = set()
    chosen: dict[int, np.ndarray] = {}
    for number, batch in enumerate(state.batches):
        folder, there = state.of(batch), set()
        for name in ("sketches", "summaries", "traits", "profiles"):
            column = pq.read_table(folder.path(name), columns=["account_id"], read_dictionary=["account_id"])
            there |= ids.intersection(pc.unique(column["account_id"].cast(pa.string())).to_pylist())
        if there:
            found |= there
            accounts = pq.read_table(folder.path("sketches"), columns=["account_id"])["account_id"]
            chosen[number] = np.flatnonzero(pc.is_in(accounts, value_set=pa.array(sorted(ids))).to_numpy())
    before = state.contents.days
    _replace(state, chosen, FORGOTTEN, ids, None, {"forgotten": tuple(tombs)})
    return Deleted(len(found), sum(before.values()) - sum(state.contents.days.values()))


def retire(state: State, retain: int) -> Deleted:
    """Delete the days before the last `retain` ones, counted back from the newest day in the state; 0 keeps all."""
    days = state.contents.days
    if not days or retain <= 0:
        return Deleted()
    first = max(days) - timedelta(days=retain - 1)
    if min(days) >= first:
        return Deleted()
    before = _accounts(state, state.batches)
    chosen = {}
    for number, batch in enumerate(state.batches):
        if any(day < first for day in (*batch.days, *batch.derived)):
            times = pq.read_table(state.of(batch).path("sketches"), columns=["time"])["time"]
            old = pc.less(days_in(times), pa.scalar(first))
            chosen[number] = np.flatnonzero(old.to_numpy())
    _replace(state, chosen, RETIRED, (), {day for day in days if day >= first}, {})
    gone = len(before) - len(_accounts(state, state.batches))
    return Deleted(gone, sum(days.values()) - sum(state.contents.days.values()))


def _replace(
    state: State,
    chosen: dict[int, np.ndarray],
    reason: str,
    accounts: Collection[str],
    days: Collection[date] | None,
    more: dict[str, object],
) -> None:
    """Write the `chosen` batches anew without rows, and the memory without accounts; one commit.

    With `days` a batch of which nothing is left goes with its counts and the paths of its files.
    """
    batches: list[Batch] = list(state.batches)
    number = state.contents.next
    with ExitStack() as stack:
        for place, rows in chosen.items():
            made = stack.enter_context(state.making(BATCHES, number))
            batches[place] = rewritten(state, batches[place], made, rows, reason=reason, accounts=accounts, days=days)
            number += 1
        if days is not None:
            batches = [batch for batch in batches if batch.rows]
        texts = _repeated(state, tuple(batches))
        for place, batch in enumerate(batches):
            made = stack.enter_context(state.making(BATCHES, number))
            batches[place] = _pruned(state, batch, texts, made)
            number += 1
        memory = state.contents.memory
        if memory is not None:
            here = _accounts(state, tuple(batches)) if days is not None else None
            memory = _memory(state, memory, accounts, here, stack.enter_context(state.making(OPERATORS, number)))
        changed = {"batches": tuple(batches), "next": number + 1, "memory": memory, **more}
        state.commit(state.contents.model_copy(update=changed))


def _repeated(state: State, batches: tuple[Batch, ...]) -> pa.Table:
    """Masked text of skeletons that at least two events of `batches` have."""
    texts = Exemplars()
    for batch in batches:
        texts.add(state.of(batch).read("skeletons"))
    with duckdb_in(Room(), state.root / BATCHES) as (engine, scratch):
        return texts.table(state.paths("sketches", batches), engine, scratch)


def _pruned(state: State, old: Batch, texts: pa.Table, made: RunFolder) -> Batch:
    """A batch without masked text that is not among `texts`; the batch itself if all of its are."""
    known = state.of(old).read("skeletons")
    kept = known.join(texts.select(["skeleton", "part"]), ["skeleton", "part"], join_type="left semi")
    if len(kept) == len(known):
        return old
    for name in old.files:
        if name != "skeletons":
            shutil.copyfile(state.of(old).path(name), made.path(name))
    made.write("skeletons", kept.sort_by([("part", "ascending"), ("skeleton", "ascending")]))
    name, files = state.seal(made)
    return old.model_copy(update={"id": name, "files": files})


def _memory(
    state: State, old: Memory, accounts: Collection[str], here: set[str] | None, made: RunFolder
) -> Memory | None:
    """The operators' memory without `accounts`, and without those that are not `here`; None if nobody is left."""
    table = state.of(old).read("operators")
    keep = pc.invert(pc.is_in(table["account_id"], value_set=pa.array(sorted(accounts), pa.string())))
    if here is not None:
        keep = pc.and_(keep, pc.is_in(table["account_id"], value_set=pa.array(sorted(here), pa.string())))
    left = table.filter(keep)
    if len(left) == len(table):
        return old
    made.write("operators", left.cast(OPERATORS_SCHEMA))
    made.write("merged", state.of(old).read("merged"))
    name, files = state.seal(made)
    return Memory(id=name, files=files)


def _accounts(state: State, batches: tuple[Batch, ...]) -> set[str]:
    """Accounts that have an event."""
    found: set[str] = set()
    for path in state.paths("sketches", batches):
        read = pq.read_table(path, columns=["account_id"])["account_id"]
        found.update(pc.unique(read).to_pylist())
    return found
