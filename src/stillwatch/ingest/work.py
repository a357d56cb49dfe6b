"""What a worker does with one chunk of raw rows: parse, cast, check, sketch, pseudonymise. Text goes no further."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.hashing import hash64_array, keep
from stillwatch.ingest import addresses, columns, formats, parcels, records
from stillwatch.ingest.addresses import Networks
from stillwatch.ingest.canonical import Canonical, canonical
from stillwatch.ingest.pseudonyms import KINDS, Pseudonyms
from stillwatch.ingest.readers import Chunk, renamed
from stillwatch.ingest.sketch import sketch_batch
from stillwatch.ingest.streams import Lines
from stillwatch.model import ANSWERS, EVENTS, SKETCHES
from stillwatch.settings import IngestSettings

SAMPLED = 64


@dataclass(frozen=True)
class Job:
    """What is the same for every chunk of a scan. `now` is in microseconds since 1970."""

    settings: IngestSettings
    pseudonyms: Pseudonyms
    networks: Networks
    now: int


@dataclass
class Done:
    """A chunk worked off. `sketches`, `skeletons` and `answers` have the columns of their tables in `model`."""

    source_id: int
    kept: int
    sketches: pa.RecordBatch
    skeletons: pa.RecordBatch
    answers: pa.RecordBatch
    rejects: list[tuple[int, str]]
    rows_in: int
    counts: Counter[str] = field(default_factory=Counter)
    """cut_texts, invalid_utf8, skipped_spans, late_parents."""
    repaired: Counter[str] = field(default_factory=Counter)
    present: Counter[str] = field(default_factory=Counter)
    """Kept rows that have a value, by column of `model.EVENTS`."""
    names: set[str] = field(default_factory=set)
    """Keys of JSON records that are no columns."""
    bytes: int = 0
    accounts: frozenset[int] = frozenset()
    """Hashes of one account in `SAMPLED` of those that occur: how many a log has is told by them while it is read."""


@dataclass
class Raw:
    """Rows by canonical column, not yet cast, and the row of each in its file."""

    columns: dict[str, Any]
    rows: npt.NDArray[np.int64]
    rejects: list[tuple[int, str]]
    mended: int = 0
    names: set[str] = field(default_factory=set)


def process(chunk: Chunk, job: Job) -> Done:
    """Raw rows -> sketches and rejects; every row in is one of the two."""
    done = _sketched_before(chunk, job) if chunk.source.format == parcels.FORMAT else _sketched_here(chunk, job)
    hashes = hash64_array(done.sketches["account_id"].dictionary_encode().dictionary)
    done.accounts = frozenset(hashes[keep(hashes, 1 / SAMPLED)].tolist())
    return done


def _sketched_here(chunk: Chunk, job: Job) -> Done:
    raw = raw_rows(chunk, job.settings)
    unit = "us" if chunk.source.format == "otel" else job.settings.time_unit
    found = canonical(raw.columns, raw.rows, unit=unit, now=job.now, future_hours=job.settings.max_future_hours)
    done = _sketch(chunk.source.id, found, job)
    done.rejects = sorted(chunk.rejects + raw.rejects + found.rejects)
    done.rows_in = len(raw.rows) + len(chunk.rejects) + len(raw.rejects)
    done.counts.update(invalid_utf8=raw.mended + chunk.mended, skipped_spans=chunk.skipped, late_parents=chunk.late)
    done.repaired.update(found.repaired)
    done.names, done.bytes = raw.names, chunk.bytes
    return done


def _sketched_before(chunk: Chunk, job: Job) -> Done:
    """Sketches as they are; `parcels.ParcelError` if they are of another version or key."""
    assert isinstance(chunk.payload, pa.RecordBatch)
    assert chunk.rows is not None
    parcel = parcels.of_chunk(chunk.payload, int(chunk.rows[0]) == 1, job.pseudonyms)
    sketches, answers = (_of_file(rows, chunk.source.id) for rows in (parcel.sketches, parcel.answers))
    rows_in = len(parcel.rejects) + sketches.num_rows
    done = Done(
        chunk.source.id, sketches.num_rows, sketches, parcels.skeletons(parcel), answers, parcel.rejects, rows_in
    )
    done.counts, done.repaired, done.present = parcel.counts, parcel.repaired, parcel.present
    done.names, done.bytes = parcel.names, chunk.bytes
    return done


def _of_file(rows: pa.RecordBatch, source: int) -> pa.RecordBatch:
    """Rows under the number of the file that they stand in."""
    place = rows.schema.get_field_index("source_id")
    number = pa.array(np.full(rows.num_rows, source, dtype=np.int32))
    return rows.set_column(place, rows.schema.field(place), number)


def raw_rows(chunk: Chunk, settings: IngestSettings) -> Raw:
    """A chunk\'s rows as columns of its format."""
    payload, source = chunk.payload, chunk.source
    if isinstance(payload, pa.RecordBatch) and source.format == "table":
        assert chunk.rows is not None
        return Raw(renamed(payload, settings, source.constants), chunk.rows, [])
    part = _records(chunk)
    reader = formats.READERS.get(source.format)
    rows = [reader(record, settings) for record in part.records] if reader else part.records
    constants = source.constants if source.format == "table" else {}
    out: dict[str, Any] = {}
    for name in EVENTS.names:
        out[name] = [row.get(name) for row in rows]
        if name in constants:
            out[name] = [constants[name] if value is None else value for value in out[name]]
    known = {*EVENTS.names, *(path.split(".")[0] for path in settings.columns.values())}
    names = {name for record in part.records for name in record} - known if source.format == "table" else set()
    return Raw(out, np.array(part.rows, dtype=np.int64), part.rejects, part.mended, names)


def _records(chunk: Chunk) -> records.Records:
    if isinstance(chunk.payload, Lines):
        return records.parse(chunk.payload)
    rows = [] if chunk.rows is None else chunk.rows.tolist()
    if isinstance(chunk.payload, pa.RecordBatch):
        values = [columns.pylist(column) for column in chunk.payload.columns]
        names = chunk.payload.schema.names
        return records.Records(rows, [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)])
    return records.Records(rows, chunk.payload)


def _sketch(source_id: int, found: Canonical, job: Job) -> Done:
    events, size = found.events, found.events.num_rows
    text = sketch_batch(events, job.settings)
    place = addresses.columns(
        events.column("client_address"), events.column("asn"), events.column("country"), job.networks
    )
    out: dict[str, pa.Array] = {
        **{name: events.column(name) for name in EVENTS.names if name in SKETCHES.names},
        **place.columns,
        "source_id": pa.array(np.full(size, source_id, dtype=np.int32)),
        "source_row": pa.array(found.rows),
    }
    for name in KINDS:
        if name in out:
            out[name] = job.pseudonyms.array(name, out[name])
    out |= {name: text.columns.column(name) for name in text.columns.schema.names}
    sketches = pa.RecordBatch.from_arrays([out[field.name].cast(field.type) for field in SKETCHES], schema=SKETCHES)
    done = Done(
        source_id,
        size,
        sketches,
        text.skeletons,
        _answers(sketches, text.answers),
        [],
        0,
    )
    if place.bad:
        done.repaired["client_address"] += place.bad
    done.counts["cut_texts"] = text.cut
    done.present.update({name: size - events.column(name).null_count for name in EVENTS.names})
    return done


def _answers(sketches: pa.RecordBatch, found: pa.RecordBatch) -> pa.RecordBatch:
    """Rows of `model.ANSWERS`: what is kept of answers, with whose they are."""
    whose = sketches.select([name for name in ANSWERS.names if name in _OF_THE_EVENT]).take(found.column("row"))
    columns = [(whose if field.name in _OF_THE_EVENT else found).column(field.name) for field in ANSWERS]
    return pa.RecordBatch.from_arrays(columns, schema=ANSWERS)


_OF_THE_EVENT = frozenset({"event_id", "source_id", "source_row", "time", "account_id", "model"})
