"""The table `answers`: written beside the sketches, and rid of the same rows when some of those go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.model import ANSWERS

ROW_GROUP = 1 << 16
Keys = npt.NDArray[np.int64]


def writer(path: Path) -> pq.ParquetWriter:
    """Of a table of answers; hashes neither repeat nor shrink, and trying costs."""
    packed = {field.name: "none" if field.name in _HASHES else "zstd" for field in ANSWERS}
    packed["fingerprints.list.element"] = "none"
    return pq.ParquetWriter(path, ANSWERS, compression=packed, use_dictionary=["account_id", "model", "source_id"])


_HASHES = {"text", "fingerprints"}


class AnswersWriter:
    """Collects batches of `model.ANSWERS` in a file; `close` before it is read."""

    def __init__(self, path: Path) -> None:
        self.writer = writer(path)
        self.pending: list[pa.RecordBatch] = []
        self.rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Append; OSError if there is no room."""
        if batch.num_rows:
            self.pending.append(batch)
            self.rows += batch.num_rows
        if self.rows >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self.pending:
            self.writer.write_table(pa.Table.from_batches(self.pending, ANSWERS))
        self.pending, self.rows = [], 0

    def close(self) -> None:
        """Write what is left and the end of the file."""
        self._flush()
        self.writer.close()


def keys(rows: pa.Table | pa.RecordBatch) -> Keys:
    """Where events stand in the log, as one number each, [n]: file and row."""
    source, row = (np.asarray(rows.column(name)).astype(np.int64) for name in ("source_id", "source_row"))
    return np.asarray((source << 40) | row)


def without(path: Path, gone: Keys, out: Path) -> None:
    """Copy a table of answers without those of the events that are `gone`."""
    with pq.ParquetFile(path) as file, writer(out) as written:
        for batch in file.iter_batches(ROW_GROUP):
            kept = batch.filter(pa.array(~np.isin(keys(batch), gone)))
            written.write_batch(kept.cast(ANSWERS))
