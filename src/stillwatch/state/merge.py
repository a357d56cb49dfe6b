"""A log is merged into a state: its events that are new, and what is derived anew for the days that they touch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.engine.meter import Meter
from stillwatch.engine.runfolder import RunFolder
from stillwatch.ingest import answers, duplicates
from stillwatch.ingest.ingest import ingest
from stillwatch.model import REJECTS
from stillwatch.pipeline import ScanRequest, engine_in
from stillwatch.state.contents import Batch, digest_of_derived
from stillwatch.state.derived import derive
from stillwatch.state.folder import BATCHES, State
from stillwatch.state.rewrite import FORGOTTEN, charged, days_in, days_of, rewritten

DUPLICATE = "duplicate event_id"


@dataclass(frozen=True)
class Merged:
    """What a merge brought."""

    files: int = 0
    """Files that had not been merged before, told by path and content; others are not read again."""
    events: int = 0
    duplicates: int = 0


def merge(state: State, request: ScanRequest, meter: Meter) -> Merged:
    """Read the log of `request` into the state; nothing changes if all of its files are known."""
    number = state.contents.next
    with state.making(BATCHES, number) as made, ExitStack() as stack:
        with meter.stage("reading and sketching"):
            report = ingest(
                request.sources,
                made,
                format=request.format,
                settings=request.settings.ingest,
                pseudonyms=request.pseudonyms,
                context=replace(request.context, rejects=()),
                progress=meter.progress,
                known=known_files(state),
                room=request.room,
            ).as_dict()
        if not report["inputs"]:
            return Merged()
        with meter.stage("duplicates"):
            _leave_out_forgotten(state, made, report)
            with request.room.scratch(made.root) as scratch:
                twice = duplicates.find(made.path("sketches"), scratch, request.room, state.paths("sketches"))
            batches, moved = _without_losers(state, twice, number, stack)
            mine = twice.filter(pc.equal(twice["file"], 0))
            _drop(made, mine["place"].to_numpy(), report, mine["source_id"].to_pylist(), DUPLICATE)
            _reject(made, report, mine)
        days = days_of(made.path("sketches"))
        touched = sorted({*days, *moved})
        with meter.stage("deriving"):
            older = [batch for batch in batches if set(batch.days) & set(touched)]
            _derive(state, [*state.paths("sketches", tuple(older)), made.path("sketches")], touched, made, request)
        name, files = state.seal(made)
    new = Batch(id=name, files=files, report=report, days=days, derived=tuple(touched))
    older = [batch.model_copy(update={"derived": _but(batch.derived, touched)}) for batch in batches]
    number = max(int(batch.id) for batch in [*older, new]) + 1
    state.commit(state.contents.model_copy(update={"batches": (*older, new), "next": number}))
    return Merged(len(report["inputs"]), new.rows, report["counts"]["duplicates"])


def derive_anew(state: State, request: ScanRequest, meter: Meter) -> None:
    """Derive all days again, where this version of Stillwatch derives something else than the one that merged them."""
    if state.contents.derived == digest_of_derived() or not state.batches:
        return
    number, days = state.contents.next, sorted(state.contents.days)
    with meter.stage("deriving"), state.making(BATCHES, number) as made:
        last = state.batches[-1]
        for name in {"sketches", "answers", "skeletons", "rejects"}.intersection(last.files):
            made.write(name, state.of(last).read(name))
        _derive(state, state.paths("sketches"), days, made, request)
        name, files = state.seal(made)
    older = [batch.model_copy(update={"derived": ()}) for batch in state.batches[:-1]]
    new = last.model_copy(update={"id": name, "files": files, "derived": tuple(days)})
    changed = {"batches": (*older, new), "next": number + 1, "derived": digest_of_derived()}
    state.commit(state.contents.model_copy(update=changed))


def known_files(state: State) -> set[tuple[str, str]]:
    """(path, SHA-256) of every file that was merged; one that could not be opened is tried again."""
    inputs = (read for batch in state.batches for read in batch.report["inputs"])
    return {(read["path"], read["sha256"]) for read in inputs if read["sha256"]}


def _derive(state: State, sketches: Sequence[Path], days: list[date], made: RunFolder, request: ScanRequest) -> None:
    with engine_in(made, request) as engine:
        derive(engine, sketches, days, made)


def _but(days: Iterable[date], touched: Sequence[date]) -> tuple[date, ...]:
    return tuple(day for day in days if day not in touched)


def _leave_out_forgotten(state: State, made: RunFolder, report: dict[str, Any]) -> None:
    """Rows of accounts that were to be forgotten are not taken in again."""
    if not state.contents.forgotten:
        return
    gone = set(state.contents.forgotten)
    read = pq.read_table(made.path("sketches"), columns=["account_id", "source_id"])
    accounts = [one for one in pc.unique(read["account_id"]).to_pylist() if state.contents.tombstone(one) in gone]
    rows = pc.is_in(read["account_id"], value_set=pa.array(accounts, pa.string())).to_numpy()
    _drop(made, np.flatnonzero(rows), report, read["source_id"].filter(pa.array(rows)).to_pylist(), FORGOTTEN)


def _drop(
    made: RunFolder, places: npt.NDArray[np.int64], report: dict[str, Any], sources: list[int], reason: str
) -> None:
    """Take rows out of the new sketches and put them down as rejected for `reason`."""
    if len(places):
        whole, places = made.root / ".whole.tmp", np.sort(places).astype(np.int64)
        made.path("sketches").rename(whole)
        gone = pq.read_table(whole, columns=["source_id", "source_row"]).take(pa.array(places))
        duplicates.without(whole, places, made.path("sketches"))
        made.path("answers").rename(whole)
        answers.without(whole, answers.keys(gone), made.path("answers"))
        whole.unlink()
        charged(report, sources, reason)


def _reject(run: RunFolder, report: dict[str, Any], rows: pa.Table) -> None:
    """Add duplicates (source_id, source_row) to the table of rejects."""
    if not len(rows):
        return
    paths = [report["inputs"][source]["path"] for source in rows["source_id"].to_pylist()]
    reasons = pa.array([DUPLICATE] * len(rows), pa.string())
    more = [pa.array(paths, pa.string()), rows["source_row"].cast(pa.int64()), reasons]
    run.write("rejects", pa.concat_tables([run.read("rejects"), pa.Table.from_arrays(more, schema=REJECTS)]))


def _without_losers(state: State, twice: pa.Table, number: int, stack: ExitStack) -> tuple[list[Batch], set[date]]:
    """The batches of the state without events of which the new log holds an earlier row; and these events' days.

    A rewritten batch is sealed under a name of its own; it is garbage until the merge is committed.
    """
    batches, moved = list(state.batches), set()
    for place in sorted(set(twice["file"].to_pylist()) - {0}):
        rows = twice.filter(pc.equal(twice["file"], place))
        old, number = batches[place - 1], number + 1
        times = pq.read_table(state.of(old).path("sketches"), columns=["time"])["time"]
        moved |= set(days_in(times.take(rows["place"])).to_pylist())
        made = stack.enter_context(state.making(BATCHES, number))
        batches[place - 1] = rewritten(state, old, made, rows["place"].to_numpy(), reason=DUPLICATE, duplicates_of=rows)
    return batches, moved
