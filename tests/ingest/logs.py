"""Small logs for the tests of reading."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.engine.runfolder import RunFolder
from stillwatch.ingest.ingest import ingest
from stillwatch.ingest.report import IngestReport
from stillwatch.settings import IngestSettings

START = 1_760_000_000
GOLDEN = Path(__file__).parents[1] / "golden" / "ingest"
Row = dict[str, Any]


def event(number: int, **changes: Any) -> Row:
    """A good row, with changes."""
    row = {
        "event_id": f"event-{number}", "time": START + number, "account_id": f"account-{number % 3}",
        "model": "model-1",
        "messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": f"question {number}"}]}]),
        "client_address": f"192.0.2.{number % 250}", "temperature": 0.5, "max_tokens": 64,
    }  # fmt: skip
    return {**row, **changes}


def events(n: int, **changes: Any) -> list[Row]:
    return [event(i, **changes) for i in range(n)]


def lines(rows: Sequence[Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def table(rows: Sequence[Row]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def parquet(rows: Sequence[Row], group: int | None = None) -> bytes:
    out = io.BytesIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    pq.write_table(pa.table(columns), out, row_group_size=group)
    return out.getvalue()


def zstd(data: bytes) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as stream:
        stream.write(data)
    return bytes(out.getvalue())


CONTAINERS: dict[str, Callable[[Sequence[Row]], bytes]] = {
    "log.jsonl": lines,
    "log.jsonl.gz": lambda rows: gzip.compress(lines(rows)),
    "log.json": lambda rows: json.dumps(list(rows), indent=1).encode(),
    "log.jsonl.zst": lambda rows: zstd(lines(rows)),
    "log.csv": table,
    "log.csv.gz": lambda rows: gzip.compress(table(rows)),
    "log.parquet": parquet,
}


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def scan(folder: Path, *sources: Path | str, **options: Any) -> tuple[IngestReport, RunFolder]:
    """Read logs into a run folder beside them, and check that every row in is kept or rejected."""
    settings = IngestSettings(**options.pop("settings", {}))
    run = RunFolder(folder / "run")
    run.begin()
    report = ingest(sources, run, settings=settings, **options)
    add_up(report, run)
    return report, run


def add_up(report: IngestReport, run: RunFolder) -> None:
    """rows in = rows in `sketches` + rows in `rejects`, for the log and for each file."""
    sketches, rejects = run.read("sketches", ["source_id"]), run.read("rejects")
    assert report.counts["rows_in"] == len(sketches) + len(rejects) - report.counts["context_rejected"]
    assert report.counts["kept"] == len(sketches)
    assert report.counts["rejected"] == len(rejects) - report.counts["context_rejected"]
    by_source = sketches["source_id"].to_pylist()
    for entry in report.inputs:
        kept = by_source.count(entry["id"])
        rejected = rejects["source"].to_pylist().count(entry["path"])
        assert (entry["rows_in"], entry["kept"]) == (kept + rejected, kept)


def rejected(run: RunFolder) -> list[tuple[int, str]]:
    """(row, reason) of the rejects, in order."""
    found = run.read("rejects").to_pylist()
    return sorted((row["row"], row["reason"]) for row in found)
