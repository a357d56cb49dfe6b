"""The state -> a run: its tables put together from days, then linked and judged as those of any scan."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch import renaming
from stillwatch.engine.duckdb import duckdb_in
from stillwatch.engine.meter import Meter
from stillwatch.engine.runfolder import RunFolder
from stillwatch.errors import InputError
from stillwatch.ingest.accounts import everyone
from stillwatch.ingest.exemplars import Exemplars
from stillwatch.judging.record import evening
from stillwatch.linking import identity, traits
from stillwatch.model import ANSWERS, REJECTS, SKETCHES, TIME
from stillwatch.model import OPERATORS as OPERATORS_SCHEMA
from stillwatch.pipeline import ScanRequest, conclude, engine_in, linked_and_judged
from stillwatch.replay import known_by
from stillwatch.state.contents import Memory
from stillwatch.state.derived import DAY_PROFILES, profiles_together, together
from stillwatch.state.folder import OPERATORS, State
from stillwatch.state.report import together as reports_together

ROWS = 1 << 16
MERGED = pa.schema([("day", pa.date32()), ("operator_id", pa.string()), ("merged_into", pa.string())])
"""Ids of operators of several accounts that ended; `day` is the newest of the state when that was seen."""


def look(state: State, request: ScanRequest, as_of: date | None, meter: Meter) -> RunFolder:
    """The run of all that was merged, or of what was known on the evening of `as_of`; operators keep their ids.

    The memory of ids is committed before the run is finished: no finished run has an id that the state does not know.
    A look at a past day leaves the memory as it is.
    """
    started = datetime.now(UTC)
    days = [day for day in state.contents.days if as_of is None or day <= as_of]
    if not days:
        raise InputError(f"state {state.root}: no events" + (f" up to {as_of}" if as_of else ""))
    run = RunFolder(request.out)
    run.begin()
    request = _at(state, request, as_of, days)
    report = reports_together([batch.report for batch in state.batches], len(request.context.rejects))
    with meter.stage("putting days together"):
        _events(state, run, request, None if as_of is None else evening(as_of))
        _days(state, run, request, days, meter)
    found = linked_and_judged(run, request, meter)
    memory, merged = _remembered(state)
    operators = run.read("operators")
    found = renaming.renamed(run, found, memory)
    if as_of is None:
        ended = identity.merged(memory, identity.carry(memory, operators))
        ended = ended.add_column(0, MERGED.field("day"), pa.array([days[-1]] * len(ended), pa.date32())).cast(MERGED)
        merged = pa.concat_tables([merged, ended])
        _remember(state, identity.remember(memory, identity.carry(memory, operators)), merged)
    conclude(run, replace(request, state=_facts(state, merged, as_of)), report, found, meter, started)
    return run


def _at(state: State, request: ScanRequest, as_of: date | None, days: list[date]) -> ScanRequest:
    if as_of is None:
        return request
    seen: set[str] = set()
    for batch in state.batches:
        mine = set(days).intersection(batch.derived)
        if mine:
            read = state.of(batch).read("summaries", ["account_id", "day"])
            seen.update(read.filter(_on(read["day"], mine))["account_id"].to_pylist())
    known = known_by(request.context, evening(as_of), pa.array(sorted(seen), pa.string()))
    return replace(request, context=known)


def _on(column: pa.ChunkedArray, days: set[date]) -> pa.ChunkedArray:
    return pc.is_in(column.cast(pa.date32()), value_set=pa.array(sorted(days), pa.date32()))


def _events(state: State, run: RunFolder, request: ScanRequest, until: datetime | None) -> None:
    """Sketches, answers, skeletons and rejects of `run`; files are numbered through all batches."""
    first, rejects, texts = 0, [pa.Table.from_pylist([], schema=REJECTS)], Exemplars()
    with run.writer("sketches") as out, run.writer("answers") as answers:
        for batch in state.batches:
            folder = state.of(batch)
            _copy(folder.path("sketches"), out, SKETCHES, first, until)
            if "answers" in batch.files:  # a batch of an earlier version has none
                _copy(folder.path("answers"), answers, ANSWERS, first, until)
            rejects.append(folder.read("rejects"))
            texts.add(folder.read("skeletons"))
            first += len(batch.report["inputs"])
    beside = [dict(zip(REJECTS.names, reject, strict=True)) for reject in request.context.rejects]
    rejects.append(pa.Table.from_pylist(beside, schema=REJECTS))
    run.write("rejects", pa.concat_tables(rejects))
    with duckdb_in(request.room, run.root) as (engine, scratch):
        run.write("skeletons", texts.table([run.path("sketches")], engine, scratch))


def _copy(path: Path, out: pq.ParquetWriter, schema: pa.Schema, first: int, until: datetime | None) -> None:
    """Append a table of events whose files are numbered from `first`."""
    for part in pq.ParquetFile(path).iter_batches(ROWS):
        kept = part if until is None else part.filter(pc.less(part["time"], pa.scalar(until, TIME)))
        place = pc.add(kept["source_id"], pa.scalar(first, pa.int32()))
        columns = [place if field.name == "source_id" else kept[field.name] for field in schema]
        out.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))


def _days(state: State, run: RunFolder, request: ScanRequest, days: list[date], meter: Meter) -> None:
    """Summaries, accounts, traits and profiles of `run` from those of single days."""
    owned = [(state.of(batch), set(days).intersection(batch.derived)) for batch in state.batches]
    owned = [(folder, mine) for folder, mine in owned if mine]

    def read(name: str) -> list[pa.Table]:
        tables = ((folder.read(name), mine) for folder, mine in owned)
        return [table.filter(_on(table["day"], mine)) for table, mine in tables]

    summaries = pa.concat_tables(read("summaries")).sort_by([("account_id", "ascending"), ("day", "ascending")])
    run.write("summaries", summaries)
    run.write("accounts", everyone(summaries["account_id"], request.context.accounts))
    ids = run.read("accounts", ["account_id"])["account_id"].combine_chunks()
    with engine_in(run, request) as engine:
        parts = [engine.table(folder.path("traits")) for folder, _ in owned]
        parts = [part.filter(part.day.isin(sorted(mine))) for part, (_, mine) in zip(parts, owned, strict=True)]
        whole = parts[0].union(*parts[1:]) if len(parts) > 1 else parts[0]
        run.write("traits", traits.combine(engine.run(together(whole)), run.read("accounts")))
    profiles = pa.concat_tables([DAY_PROFILES.empty_table(), *read("profiles")])
    run.write("profiles", profiles_together(profiles, ids))


def _remembered(state: State) -> tuple[pa.Table, pa.Table]:
    """Who was together last (model.OPERATORS), and the ids that ended (MERGED)."""
    if state.contents.memory is None:
        return OPERATORS_SCHEMA.empty_table(), MERGED.empty_table()
    folder = state.of(state.contents.memory)
    return folder.read("operators"), pq.read_table(folder.path("merged"))


def _remember(state: State, operators: pa.Table, merged: pa.Table) -> None:
    """Commit the ids, if they are new."""
    old, old_merged = _remembered(state)
    if state.contents.memory is not None and operators.equals(old) and merged.equals(old_merged):
        return
    number = state.contents.next
    with state.making(OPERATORS, number) as made:
        made.write("operators", operators)
        made.write("merged", merged)
        name, files = state.seal(made)
    memory = Memory(id=name, files=files)
    state.commit(state.contents.model_copy(update={"memory": memory, "next": number + 1}))


def _facts(state: State, merged: pa.Table, as_of: date | None) -> dict[str, Any]:
    """For the manifest."""
    days = state.contents.days
    return {
        "batches": len(state.batches),
        "first_day": str(min(days)),
        "last_day": str(max(days)),
        "as_of": None if as_of is None else str(as_of),
        "merged_operators": [row | {"day": str(row["day"])} for row in merged.to_pylist()],
    }
