"""Events that came twice: the first stays, by source and row."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import RunError
from stillwatch.model import SKETCHES

_QUERY = """
with twice as (
    select hash(event_id) as h from read_parquet($path) group by h having count(*) > 1
), rows as (
    select event_id, source_id, source_row, file_row_number as place
    from read_parquet($path, file_row_number = true) where hash(event_id) in (select h from twice)
)
select place, source_id, source_row from rows
qualify row_number() over (partition by event_id order by place) > 1
order by place
"""


def find(path: Path, scratch: Path, memory: str = "1GB") -> pa.Table:
    """Rows of a table of sketches whose event_id came before: place (row in the file), source_id, source_row.

    Grouped by a 64-bit hash of the id, which spills to `scratch` beyond `memory`; ids of equal hash are then compared.
    """
    with duckdb.connect(config={"memory_limit": memory, "temp_directory": str(scratch), "threads": 2}) as engine:
        try:
            return engine.sql(_QUERY, params={"path": str(path)}).to_arrow_table()
        except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
            raise RunError(f"no room to look for duplicates: {error}") from error


def without(path: Path, places: npt.NDArray[np.int64], out: Path) -> None:
    """Copy a table of sketches without the rows at `places` (sorted)."""
    at = 0
    with pq.ParquetFile(path) as file, pq.ParquetWriter(out, SKETCHES, compression="zstd") as writer:
        for batch in file.iter_batches(1 << 16):
            low, high = np.searchsorted(places, [at, at + batch.num_rows])
            keep = np.ones(batch.num_rows, dtype=bool)
            keep[places[low:high] - at] = False
            writer.write_batch(batch.filter(pa.array(keep)).cast(SKETCHES))
            at += batch.num_rows
