"""A body -> a parcel of sketches, in a process of its own: what is slow, and what hostile input could hurt.

Rows pass through the very functions that read a log's files, so what is rejected, repaired and pseudonymised is the
same. Text ends here: what leaves is sketches, counts and reasons.
"""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa

from stillwatch.ingest import parcels, work
from stillwatch.ingest.addresses import Networks
from stillwatch.ingest.formats import otel
from stillwatch.ingest.parcels import Parcel
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.ingest.readers import Chunk
from stillwatch.ingest.report import group
from stillwatch.ingest.sources import Source
from stillwatch.ingest.streams import Lines, elements, lines
from stillwatch.model import EVENTS
from stillwatch.service import memory, otlp
from stillwatch.service.bodies import decoded
from stillwatch.service.children import end_with_parent
from stillwatch.service.problems import ProblemError
from stillwatch.service.settings import ServiceSettings
from stillwatch.settings import IngestSettings

ARROW = "application/vnd.apache.arrow.stream"
LINES = {"application/x-ndjson", "application/jsonl", "application/ndjson", "application/json-seq"}
FORMATS = ("table", "litellm", "bedrock")
SHOWN = 20
"""Rejected rows named in an answer."""


@dataclass(frozen=True)
class Reading:
    """How bodies are read: the same for all of a service."""

    settings: IngestSettings
    pseudonyms: Pseudonyms
    networks: Networks
    limits: ServiceSettings


@dataclass(frozen=True)
class Body:
    """A request that brings events. `kind` is traces or events; `format` that of the rows."""

    kind: str
    content_type: str
    encoding: str
    data: bytes
    format: str = "table"


@dataclass(frozen=True)
class Read:
    """What a body held. `parcel` is None if nothing of it can be used."""

    parcel: bytes | None
    rows: int
    kept: int
    reasons: dict[str, int] = field(default_factory=dict)
    shown: tuple[tuple[int, str], ...] = ()
    """(row in the body, reason), the first few."""
    skipped: int = 0
    """Spans that are no requests to a model."""

    @property
    def rejected(self) -> int:
        """Rows that cannot be used."""
        return self.rows - self.kept

    def message(self) -> str:
        """What was rejected and why, in words."""
        return "; ".join(f"{reason}: {count}" for reason, count in sorted(self.reasons.items()))


def read(body: Body, how: Reading) -> Read:
    """Read, check and sketch a body; ProblemError if nothing can be told from it."""
    data = decoded(body.data, body.encoding, how.limits.max_decoded_bytes)
    now = job(how)
    chunks = _traces(body, data, how) if body.kind == "traces" else _events(body, data)
    found: list[tuple[Parcel, list[tuple[int, str]]]] = []
    skipped = rejected = 0
    for chunk in chunks:
        done = work.process(chunk, now)
        skipped += done.counts["skipped_spans"]
        rejected += len(done.rejects)
        if rejected > how.limits.max_rejects:
            why = f"more than {how.limits.max_rejects:,} rows of the body cannot be used: it is no log"
            raise ProblemError(400, why, detail=[list(reject) for reject in done.rejects[:SHOWN]])
        found.append((parcel(done, how.pseudonyms), done.rejects))
    if not found:
        return Read(None, 0, 0)
    whole, rejects = parcels.together([parcel for parcel, _ in found]), [one for _, some in found for one in some]
    reasons = Counter(group(reason) for _, reason in rejects)
    kept = whole.sketches.num_rows
    return Read(whole.pack() if kept else None, whole.rows_in, kept, dict(reasons), tuple(rejects[:SHOWN]), skipped)


def job(how: Reading) -> work.Job:
    """How rows are worked on now."""
    return work.Job(how.settings, how.pseudonyms, how.networks, int(time.time() * 1e6))


def parcel(done: work.Done, names: Pseudonyms) -> Parcel:
    """Rows are numbered through: blank lines and spans of one line would leave gaps and knots."""
    kept, lost = done.sketches["source_row"].to_numpy(), np.array([row for row, _ in done.rejects], np.int64)
    rank = np.empty(done.rows_in, np.int64)
    rank[np.argsort(np.concatenate([kept, lost]), kind="stable")] = np.arange(1, done.rows_in + 1)
    rows = parcels.laid_beside(done.sketches, done.answers)
    place = rows.schema.get_field_index("source_row")
    rows = rows.set_column(place, rows.schema.field(place), pa.array(rank[: len(kept)]))
    rejects = [(int(row), reason) for row, (_, reason) in zip(rank[len(kept) :], done.rejects, strict=True)]
    return Parcel(
        rows, done.rows_in, parcels.spell(names), rejects, done.skeletons.to_pylist(), done.counts, done.repaired,
        done.present, done.names,
    )  # fmt: skip


def source(container: str, format: str, size: int) -> Source:
    """A body as if it were a file."""
    return Source(0, Path("live"), container, None, format, size, "")


def _traces(body: Body, data: bytes, how: Reading) -> Iterator[Chunk]:
    request = otlp.read(data, body.content_type)
    joiner = otel.Joiner(how.settings)
    joiner.add(1, request, len(data))
    ready = [raw for _, raw in joiner.ready(end=True)]
    chunk = Chunk(source("lines", "otel", len(data)), ready, np.arange(1, len(ready) + 1, dtype=np.int64))
    chunk.skipped, chunk.late = joiner.skipped, joiner.late
    yield chunk


def _events(body: Body, data: bytes) -> Iterator[Chunk]:
    if body.format not in FORMATS:
        raise ProblemError(400, f"formats of events are {', '.join(FORMATS)}")
    if body.content_type == ARROW:
        yield from _arrow(data, body.format)
        return
    if body.content_type not in {*LINES, "application/json"}:
        raise ProblemError(415, f"content types are {', '.join(sorted(LINES))}, application/json and {ARROW}")
    whole = source("lines", body.format, len(data))
    text = data.lstrip()
    split = elements if body.content_type == "application/json" and text.startswith(b"[") else lines
    for part in _whole(split(iter([text]))):
        yield Chunk(whole, part, bytes=len(part.data))


def _whole(parts: Iterator[Lines]) -> Iterator[Lines]:
    from stillwatch.ingest.streams import CutError

    try:
        yield from parts
    except CutError as cut:
        raise ProblemError(400, f"the body ends early: {cut}") from cut


def _arrow(data: bytes, format: str) -> Iterator[Chunk]:
    """Nothing in an Arrow stream is to be trusted: offsets are checked before they are followed."""
    whole, done = source("parquet", format, len(data)), 0
    try:
        with pa.ipc.open_stream(data) as stream:
            for batch in stream:
                batch.validate(full=True)
                rows = np.arange(done + 1, done + 1 + batch.num_rows, dtype=np.int64)
                done += batch.num_rows
                yield Chunk(whole, batch, rows)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OSError, KeyError) as error:
        raise ProblemError(400, "the body is no Arrow stream that can be read") from error


# --- the process ----------------------------------------------------------------------------------------------------

_how: Reading | None = None


def begin(how: Reading) -> None:
    """Make a process ready: compiled loops loaded, memory bounded."""
    global _how  # noqa: PLW0603  (each process has one)
    end_with_parent("read")
    memory.begin()
    _how = how
    pa.set_cpu_count(1)
    warm = {"event_id": "w", "time": 1_700_000_000, "account_id": "w", "model": "w",
            "messages": '[{"role":"user","parts":[{"type":"text","content":"How far is it?"}]}]'}  # fmt: skip
    read(Body("events", "application/x-ndjson", "", orjson.dumps(warm)), how)
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    most = used + how.limits.sketcher_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def ours() -> Reading:
    """How this process reads; only where `begin` made it ready."""
    assert _how is not None
    return _how


def work_off(body: Body) -> Read:
    """`read` in a process that `begin` made ready; whatever goes wrong in it is the body's fault, and said so."""
    try:
        return read(body, ours())
    except ProblemError:
        raise
    except (MemoryError, pa.ArrowMemoryError, pa.ArrowCapacityError) as error:
        raise ProblemError(413, "the body unfolds to more than can be held") from error
    except (pa.ArrowException, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ProblemError(400, f"the body cannot be read ({type(error).__name__})") from error


def columns() -> list[str]:
    """Columns of an event, for documentation."""
    return list(EVENTS.names)
