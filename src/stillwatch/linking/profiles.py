"""Sketches -> profiles: each account's content as a kernel mean embedding."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.ingest.text.profile import accumulate
from stillwatch.model import PROFILE, PROFILES, VECTOR

ROWS = 65_536


def from_sketches(sketches: pq.ParquetFile, accounts: pa.Array) -> pa.Table:
    """One row an account, in the order of `accounts`: the sum of its events' random features, and their number."""
    sums, counts = np.zeros((len(accounts), PROFILE)), np.zeros(len(accounts), np.int64)
    for rows_in in sketches.iter_batches(ROWS, columns=["account_id", "vector"]):
        batch = rows_in.filter(pc.is_valid(rows_in["vector"]))
        rows = pc.index_in(batch["account_id"], value_set=accounts).to_numpy().astype(np.int64)
        vectors = batch["vector"].flatten().to_numpy().reshape(len(rows), VECTOR)
        some, n = accumulate(rows, vectors, len(accounts))
        sums += some
        counts += n
    embedding = pa.FixedSizeListArray.from_arrays(pa.array(sums.astype(np.float32).ravel()), PROFILE)
    return pa.table([accounts, pa.array(counts), embedding], names=PROFILES.names).cast(PROFILES)
