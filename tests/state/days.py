"""Small logs in pieces, and the tables of a state beside those of a scan of all pieces at once."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.engine.meter import Meter
from stillwatch.engine.runfolder import RunFolder
from stillwatch.ingest.accounts import Context
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.ingest.report import IngestReport
from stillwatch.model import EVENTS
from stillwatch.pipeline import ScanRequest, read_log
from stillwatch.pipeline import _relations as relations_of
from stillwatch.state import Kept, StateRequest, scan_state
from stillwatch.state.folder import State
from stillwatch.state.look import _days as days_of
from stillwatch.state.look import _events as events_of
from stillwatch.state.report import together
from tests.smalllog import START, SmallLog

Rows = list[dict[str, Any]]
BEFORE_LINKING = ("sketches", "answers", "summaries", "accounts", "traits", "profiles")


def rows_of(seed: int, accounts: int = 10) -> Rows:
    """A few hundred events over 14 days, some at the last moment of an hour, some words shared on distant days."""
    log = SmallLog(seed)
    log.ordinary(accounts)
    rng = random.Random(seed)
    for _ in range(60):
        log.ask(rng.choice(log.accounts)["account_id"], rng.choice(["Say it again, please.", "And now in French."]),
                client_address=rng.choice(["192.0.2.1", "192.0.2.2"]), temperature=rng.choice([None, 0.3]))  # fmt: skip
    for event in rng.sample(log.events, 20):
        event["time"] = START + timedelta(hours=rng.randrange(1, 300), microseconds=-rng.choice([1, 400_000, 600_000]))
    words = [f"word{k}" for k in range(12)]
    for event in rng.sample(log.events, len(log.events) // 2):
        event["response"] = " ".join(rng.choices(words, k=30))
    return log.events


def again(rows: Rows, rng: random.Random, share: float = 0.1) -> Rows:
    """Rows that come a second time: alike, later, or with other words at the same time."""
    out = []
    for row in rows:
        if rng.random() < share:
            kind = rng.randrange(3)
            shifted = row["time"] + timedelta(hours=rng.choice([1, 30, 200])) * (kind == 1)
            other = {"model": rng.choice(["a-1", "z-1"])} if kind == 2 else {}
            out.append({**row, "time": shifted, **other})
    return out


def pieces(rows: Rows, rng: random.Random, count: int) -> list[Rows]:
    """A log in pieces: by time with late rows, or at random; in any order."""
    if rng.random() < 0.5:
        ordered = sorted(rows, key=lambda row: row["time"])
        size = -(-len(ordered) // count)
        parts = [ordered[k : k + size] for k in range(0, len(ordered), size)]
        for part in parts:
            for row in [row for row in part if rng.random() < 0.05]:
                part.remove(row)
                rng.choice(parts).append(row)
    else:
        parts = [[] for _ in range(count)]
        for row in rows:
            rng.choice(parts).append(row)
    rng.shuffle(parts)
    return [part for part in parts if part]


def write(rows: Rows, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=EVENTS), path)
    return path


def request(sources: Sequence[Path], out: Path, **more: Any) -> ScanRequest:
    return ScanRequest(list(sources), out, **more)


def merge(state: Path, *sources: Path, **more: Any) -> Kept:
    """Merge a log; no run."""
    return scan_state(StateRequest(state, request(sources, state), run=False, **more))


def at_once(
    sources: Sequence[Path], out: Path, context: Context | None = None
) -> tuple[dict[str, pa.Table], IngestReport]:
    """Tables before linking of a scan of all files, and what reading them found."""
    run, wanted = RunFolder(out), request(sources, out, context=context or Context())
    run.begin()
    report = read_log(run, wanted, Meter())
    relations_of(run, wanted, Meter())
    return tables(run), report


def from_days(root: Path, out: Path, until: date | None = None, context: Context | None = None) -> dict[str, pa.Table]:
    """The same tables from a state."""
    from stillwatch.judging.record import evening

    run, wanted = RunFolder(out), request([], out, context=context or Context())
    run.begin()
    state = State.open(root, Pseudonyms.none())
    days = [day for day in state.contents.days if until is None or day <= until]
    events_of(state, run, wanted, None if until is None else evening(until))
    days_of(state, run, wanted, days, Meter())
    return tables(run)


def tables(run: RunFolder) -> dict[str, pa.Table]:
    out = {name: run.read(name) for name in BEFORE_LINKING}
    for name in ("sketches", "answers"):
        out[name] = out[name].drop_columns(["source_id", "source_row"]).sort_by("event_id")
    return out


def report_of(root: Path) -> IngestReport:
    return together([batch.report for batch in State.open(root, Pseudonyms.none()).batches], 0)


def by_reason(table: pa.Table) -> Counter[str]:
    return Counter(table["reason"].to_pylist())


def same(mine: dict[str, pa.Table], theirs: dict[str, pa.Table]) -> None:
    for name, table in theirs.items():
        assert mine[name].equals(table), name


def without(request: ScanRequest, **more: Any) -> ScanRequest:
    return replace(request, **more)
