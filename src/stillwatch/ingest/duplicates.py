"""Events that came twice: one row of an id stays, and which one does not depend on the order in which rows came.

The earliest stays; of one time the least account, then the least of the other columns in the order of the schema. So a
log gives the same events however it is cut into files and days. Of rows that are alike in all of that the first stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.engine.duckdb import limits, no_room
from stillwatch.engine.room import Room
from stillwatch.engine.runfolder import table_writer
from stillwatch.model import SKETCHES

REASON = "duplicate event_id"
_WHERE = ("event_id", "source_id", "source_row")
_OTHERS = [n for n in SKETCHES.names if n not in ("time", "account_id", *_WHERE)]
ORDER = ", ".join(["time", "account_id", *_OTHERS])
_QUERY = f"""
with twice as (
    select hash(event_id) as h from read_parquet($path) group by h having count(*) > 1
    union select hash(event_id) as h from read_parquet($path)
    where $many and hash(event_id) in (select hash(event_id) from read_parquet($older))
), rows as (
    select *, 0 as file, file_row_number as place from read_parquet($path, file_row_number = true)
    where hash(event_id) in (select h from twice)
    union all by name
    select * exclude (filename, file_row_number), list_position($older, filename) as file, file_row_number as place
    from read_parquet($older, file_row_number = true, filename = true)
    where $many and hash(event_id) in (select h from twice)
)
select file, place, source_id, source_row from rows
qualify row_number() over (partition by event_id order by {ORDER}, file = 0, file, place) > 1
order by file, place
"""


def find(path: Path, scratch: Path, room: Room | None = None, older: Sequence[Path] = ()) -> pa.Table:
    """Rows of tables of sketches whose event_id another row has that stays: file, place, source_id, source_row.

    `older` are tables without duplicates among them. `file` is 0 for `path` and n for the n-th of `older`, `place` the
    row in it from 0. Grouped by a 64-bit hash of the id, which spills to `scratch` beyond the memory of `room`; ids of
    equal hash are then compared.
    """
    values = {"path": str(path), "many": bool(older), "older": [str(p) for p in older] or [str(path)]}
    room = room or Room()
    with duckdb.connect(config=limits(room, scratch)) as engine, no_room(room, "looking for duplicates"):
        return engine.sql(_QUERY, params=values).to_arrow_table()


def losers(sketches: ir.Table) -> ir.Table:
    """source_id and source_row of the rows that `find` finds in one table, by any engine."""
    twice = sketches.group_by("event_id").agg(n=sketches.count())
    rows = sketches.semi_join(twice.filter(twice.n > 1), "event_id")
    order = ["time", "account_id", *_OTHERS, "source_id", "source_row"]
    rows = rows.mutate(nth=ibis.row_number().over(ibis.window(group_by="event_id", order_by=order)))
    return rows.filter(rows.nth > 0).select("source_id", "source_row").order_by("source_id", "source_row")


def without(path: Path, places: npt.NDArray[np.int64], out: Path) -> None:
    """Copy a table of sketches without the rows at `places` (sorted)."""
    at = 0
    with pq.ParquetFile(path) as file, table_writer(out, SKETCHES) as writer:
        for batch in file.iter_batches(1 << 16):
            low, high = np.searchsorted(places, [at, at + batch.num_rows])
            keep = np.ones(batch.num_rows, dtype=bool)
            keep[places[low:high] - at] = False
            writer.write_batch(batch.filter(pa.array(keep)).cast(SKETCHES))
            at += batch.num_rows
