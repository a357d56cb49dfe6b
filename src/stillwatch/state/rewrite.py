"""A batch written anew without some of its rows: immutable files change by being replaced."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.engine.runfolder import RunFolder
from stillwatch.ingest import answers, duplicates
from stillwatch.model import REJECTS
from stillwatch.state.contents import Batch
from stillwatch.state.derived import TABLES
from stillwatch.state.folder import State

FORGOTTEN = "account forgotten"
RETIRED = "older than what is retained"


def rewritten(
    state: State,
    old: Batch,
    made: RunFolder,
    places: npt.NDArray[np.int64],
    *,
    reason: str,
    accounts: Collection[str] = (),
    days: Collection[date] | None = None,
    duplicates_of: pa.Table | None = None,
) -> Batch:
    """`old` in the folder `made`, sealed: without the rows of sketches at `places`, counted as rejected for `reason`.

    Derived tables keep the rows of the days that are still derived here (and among `days`), but those of `accounts`.
    `duplicates_of` (source_id, source_row) are named among the rejects.
    """
    source, report = state.of(old), copy.deepcopy(old.report)
    places = np.sort(places).astype(np.int64)
    gone = pq.read_table(source.path("sketches"), columns=["source_id", "source_row"]).take(pa.array(places))
    charged(report, gone["source_id"].to_pylist(), reason)
    duplicates.without(source.path("sketches"), places, made.path("sketches"))
    if "answers" in old.files:  # a batch of an earlier version has none
        answers.without(source.path("answers"), answers.keys(gone), made.path("answers"))
    made.write("skeletons", source.read("skeletons"))
    rejects = source.read("rejects")
    if duplicates_of is not None:
        paths = [report["inputs"][one]["path"] for one in duplicates_of["source_id"].to_pylist()]
        rows = duplicates_of["source_row"].cast(pa.int64())
        more = [pa.array(paths, pa.string()), rows, pa.array([reason] * len(paths), pa.string())]
        rejects = pa.concat_tables([rejects, pa.Table.from_arrays(more, schema=REJECTS)])
    made.write("rejects", rejects)
    kept = tuple(day for day in old.derived if days is None or day in days)
    for name in TABLES:
        table = source.read(name)
        here = pc.and_(
            pc.is_in(table["day"].cast(pa.date32()), value_set=pa.array(kept, pa.date32())),
            pc.invert(pc.is_in(table["account_id"], value_set=pa.array(sorted(accounts), pa.string()))),
        )
        with made.writer(name, table.schema) as out:
            out.write_table(table.filter(here))
    left = days_of(made.path("sketches"))
    name, files = state.seal(made)
    return Batch(id=name, files=files, report=report, days=left, derived=kept)


def charged(report: dict[str, Any], sources: Sequence[int], reason: str) -> None:
    """Count rows of the inputs `sources`, so far kept, as rejected for `reason`."""
    for source, rows in Counter(sources).items():
        read, counts = report["inputs"][source], report["counts"]
        for part, by_reason in ((read, read["rejected"]), (counts, counts["rejected_by_reason"])):
            part["kept"] -= rows
            by_reason[reason] = by_reason.get(reason, 0) + rows
        counts["rejected"] += rows
        if reason == "duplicate event_id":
            counts["duplicates"] += rows


def days_of(sketches: Path) -> dict[date, int]:
    """Events of a table by UTC day, in order."""
    counted = days_in(pq.read_table(sketches, columns=["time"])["time"]).value_counts().to_pylist()
    return {row["values"]: row["counts"] for row in sorted(counted, key=lambda row: row["values"])}


def days_in(times: pa.ChunkedArray) -> pa.ChunkedArray:
    """UTC day (date32) of each time."""
    return times.cast(pa.timestamp("us")).cast(pa.date32())
