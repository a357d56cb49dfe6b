"""Sketches -> profiles: what each account asks, as a kernel mean embedding, and how it uses the service."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.ingest.text.profile import accumulate
from stillwatch.linking import manner
from stillwatch.linking.matrix import Floats, Ints
from stillwatch.model import MANNER, PROFILE, PROFILES, VECTOR

ROWS = 65_536
COLUMNS = ("account_id", "vector", *manner.COLUMNS)
"""Of sketches, that are read."""


def from_sketches(sketches: pq.ParquetFile, accounts: pa.Array) -> pa.Table:
    """One row an account, in the order of `accounts`: sums over its events, see model.PROFILES."""
    sums, counts = np.zeros((len(accounts), PROFILE)), np.zeros(len(accounts), np.int64)
    ways = np.zeros((len(accounts), MANNER))
    for batch in sketches.iter_batches(ROWS, columns=list(COLUMNS)):
        rows = pc.index_in(batch["account_id"], value_set=accounts).to_numpy().astype(np.int64)
        more = summed(batch, rows, len(accounts))
        sums, counts, ways = sums + more[0], counts + more[1], ways + more[2]
    return table(accounts, counts, sums, ways)


def summed(batch: pa.RecordBatch, rows: Ints, accounts: int) -> tuple[Floats, Ints, Floats]:
    """Sums of features, events that have a vector, and sums of manner, by account; `rows` is that of each event."""
    some = batch["vector"].is_valid().to_numpy(zero_copy_only=False)
    vectors = batch["vector"].drop_null().flatten().to_numpy().reshape(int(some.sum()), VECTOR)
    return *accumulate(rows[some], vectors, accounts), manner.sums(batch, rows, accounts)


def table(accounts: pa.Array, counts: Ints, sums: Floats, ways: Floats) -> pa.Table:
    """model.PROFILES of the sums of each account."""
    embedding = pa.FixedSizeListArray.from_arrays(pa.array(sums.astype(np.float32).ravel()), PROFILE)
    how = pa.FixedSizeListArray.from_arrays(pa.array(ways.ravel()), MANNER)
    return pa.table([accounts, pa.array(counts), embedding, how], names=PROFILES.names).cast(PROFILES)
