"""What each day's last run said of every operator that was looked at closely, so that a page can tell what changed.

One small Parquet file a day; runs themselves do not stay that long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.cases.text import bits, number, size
from stillwatch.engine.runfolder import RunFolder, atomic
from stillwatch.errors import RunError
from stillwatch.model import Dimension, Verdict

KEPT = 30
"""Days."""
COLUMNS = ["operator_id", "verdict", "fdr", "accounts", "events", *(f"bits_{d.value}" for d in Dimension)]


@dataclass(frozen=True)
class Change:
    """One thing that is not as it was."""

    what: str
    before: str
    now: str


@dataclass(frozen=True)
class Since:
    """An operator then and now."""

    day: date
    """Of the earlier look."""
    known: bool
    """Whether the earlier look had the operator among those worth keeping."""
    changes: list[Change]


def record(run: RunFolder, judged_at: datetime, folder: Path) -> None:
    """Keep what a run says, as its day's last word; RunError if it cannot be written."""
    verdicts = run.read("verdicts", COLUMNS)
    worth = pc.or_(pc.not_equal(verdicts["verdict"], Verdict.ORDINARY.value), pc.greater(verdicts["accounts"], 1))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic(folder / f"{judged_at.astimezone(UTC):%Y-%m-%d}.parquet") as temporary:
            pq.write_table(verdicts.filter(worth), temporary, compression="zstd")
        for old in sorted(folder.glob("????-??-??.parquet"))[:-KEPT]:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"cannot write the chronicle {folder}: {error.strerror or error}") from error


def since(folder: Path, verdict: Mapping[str, Any], today: date) -> Since | None:
    """How an operator's verdict differs from the newest look of an earlier day; None if none is kept."""
    earlier = [path for path in sorted(folder.glob("????-??-??.parquet")) if path.stem < today.isoformat()]
    if not earlier:
        return None
    try:
        table = pq.read_table(earlier[-1], filters=[("operator_id", "=", verdict["operator_id"])])
    except (OSError, pa.ArrowException):
        return None
    day = date.fromisoformat(earlier[-1].stem)
    rows = table.to_pylist()
    return Since(day, bool(rows), _changes(rows[0], verdict) if rows else [])


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    shown: dict[str, Callable[[Any], str]] = {
        "verdict": lambda value: str(value).replace("_", " "),
        "accounts": number,
        "events": number,
        "fdr": size,
        **{f"bits_{d.value}": bits for d in Dimension},
    }
    found = [(name, show(before[name]), show(now[name])) for name, show in shown.items()]
    return [Change(name.replace("bits_", "bits of "), old, new) for name, old, new in found if old != new]
