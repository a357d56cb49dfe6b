"""Many small batches of one day become one, so that a state holds a few files a day however often logs are merged.

Who looks every minute merges every minute. Each merge leaves a batch with the new events and, for the days that they
touch, tables derived anew, beside which those of the batches before are out of date. Compacting copies the events,
drops what is out of date and commits as every change does: the new batch is garbage until `state.json` names it, and
the old ones are garbage from then on.

The batches of a group share their newest day, so retention drops the one when it would have dropped the many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import accumulate, chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.engine.meter import Meter
from stillwatch.engine.runfolder import RunFolder, table_writer
from stillwatch.ingest import answers
from stillwatch.model import ANSWERS, SKELETONS, SKETCHES
from stillwatch.state.contents import Batch
from stillwatch.state.derived import TABLES
from stillwatch.state.folder import BATCHES, State
from stillwatch.state.report import together

ROWS = 1 << 16
"""Of a row group; small batches have small ones, which are laid together."""
CLOSED = 2
"""Batches that a day may keep to which none of the last merges added."""


def compact(state: State, most: int, meter: Meter) -> int:
    """Lay batches together until no day has more than `most`; 0 leaves all as they are. How many batches went."""
    before = len(state.batches)
    while most and (chosen := _chosen(state.batches, most)):
        with meter.stage("laying batches together"):
            _replace(state, chosen)
    return before - len(state.batches)


def _chosen(batches: Sequence[Batch], most: int) -> list[int]:
    """Places of the batches to be laid together next; none if there are few enough.

    The smallest go, half of those that a day may have stay. A large batch goes with smaller ones only when these have
    come to its size, so an event is copied about as often as the day doubles.
    """
    recent = len(batches) - most
    for places in _by_day(batches).values():
        allowed = most if places[-1] >= recent else min(most, CLOSED)
        if len(places) <= allowed:
            continue
        order = sorted(places, key=lambda place: (batches[place].rows, place))
        sums = list(accumulate(batches[place].rows for place in order))
        taken = len(places) - max(1, allowed // 2) + 1
        while taken < len(order) and batches[order[taken]].rows <= sums[taken - 1]:
            taken += 1
        return sorted(order[:taken])
    return []


def _by_day(batches: Sequence[Batch]) -> dict[date | None, list[int]]:
    """Places of batches by their newest day; one without events goes with the batch before it."""
    found: dict[date | None, list[int]] = {}
    day: date | None = None
    for place, batch in enumerate(batches):
        day = max(batch.days) if batch.days else day
        found.setdefault(day, []).append(place)
    return found


def _replace(state: State, places: Sequence[int]) -> None:
    """One batch in the place of the first of several; one commit."""
    old, number = [state.batches[place] for place in places], state.contents.next
    with state.making(BATCHES, number) as made:
        new = _together(state, old, made)
    batches = [batch for place, batch in enumerate(state.batches) if place not in places[1:]]
    batches[places[0]] = new
    state.commit(state.contents.model_copy(update={"batches": tuple(batches), "next": number + 1}))


def _together(state: State, old: Sequence[Batch], made: RunFolder) -> Batch:
    """Several batches as one in the folder `made`, sealed."""
    _events(state, old, made)
    folders = [state.of(batch) for batch in old]
    made.write("rejects", pa.concat_tables([folder.read("rejects") for folder in folders]))
    made.write("skeletons", _skeletons(folders))
    for name in TABLES:
        _derived(state, old, made, name)
    days: Counter[date] = Counter()
    for batch in old:
        days.update(batch.days)
    derived = tuple(sorted(day for batch in old for day in batch.derived))
    report = together([batch.report for batch in old], 0).as_dict()
    name, files = state.seal(made)
    return Batch(id=name, files=files, report=report, days=dict(sorted(days.items())), derived=derived)


def _events(state: State, old: Sequence[Batch], made: RunFolder) -> None:
    """Sketches and answers; files are numbered through."""
    firsts = list(accumulate((len(batch.report["inputs"]) for batch in old), initial=0))
    numbered = list(zip(old, firsts, strict=False))
    with table_writer(made.path("sketches"), SKETCHES) as out:
        parts = (_numbered(state.of(batch).path("sketches"), SKETCHES, first) for batch, first in numbered)
        _write(chain.from_iterable(parts), out)
    numbered = [(batch, first) for batch, first in numbered if "answers" in batch.files]
    if numbered:  # batches of an earlier version have none
        with answers.writer(made.path("answers")) as out:
            parts = (_numbered(state.of(batch).path("answers"), ANSWERS, first) for batch, first in numbered)
            _write(chain.from_iterable(parts), out)


def _numbered(path: Path, schema: pa.Schema, first: int) -> Iterator[pa.RecordBatch]:
    """A table of events whose files are numbered from `first`."""
    with pq.ParquetFile(path) as file:
        for part in file.iter_batches(ROWS):
            place = pc.add(part["source_id"], pa.scalar(first, pa.int32()))
            columns = [place if field.name == "source_id" else part[field.name] for field in schema]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _write(parts: Iterable[pa.RecordBatch], out: pq.ParquetWriter) -> None:
    """Small parts become one row group."""
    waiting: list[pa.RecordBatch] = []
    for part in parts:
        waiting.append(part)
        if sum(one.num_rows for one in waiting) >= ROWS:
            out.write_table(pa.Table.from_batches(waiting))
            waiting = []
    if waiting:
        out.write_table(pa.Table.from_batches(waiting))


def _skeletons(folders: Sequence[RunFolder]) -> pa.Table:
    """Masked texts, each once, with how many events had it: `ingest.exemplars` adds batches up in the same way."""
    parts = pa.concat_tables([folder.read("skeletons") for folder in folders])
    added = parts.group_by(["skeleton", "part"], use_threads=False).aggregate([("text", "first"), ("events", "sum")])
    named = added.rename_columns({"text_first": "text", "events_sum": "events"}).select(SKELETONS.names)
    return named.cast(SKELETONS).sort_by([("part", "ascending"), ("skeleton", "ascending")])


def _derived(state: State, old: Sequence[Batch], made: RunFolder, name: str) -> None:
    """A derived table: of each batch the days that still stand there."""
    standing = [batch for batch in old if batch.derived] or [old[-1]]  # others may be of an earlier version's columns
    with made.writer(name, pq.read_schema(state.of(standing[0]).path(name))) as out:
        for batch in standing:
            for piece in state.of(batch).pieces(name):
                days = pa.array(batch.derived, pa.date32())
                kept = piece.filter(pc.is_in(piece["day"].cast(pa.date32()), value_set=days))
                if len(kept):
                    out.write_table(kept)
