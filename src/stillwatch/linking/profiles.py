"""Sketches -> profiles: what each account asks, as a kernel mean embedding, and how it uses the service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.engine.inorder import threaded
from stillwatch.ingest.text.profile import accumulate
from stillwatch.ingest.text.vector import unpacked
from stillwatch.linking import manner
from stillwatch.linking.matrix import Floats, Ints
from stillwatch.model import MANNER, PROFILE, PROFILES

ROWS = 65_536
COLUMNS = ("account_id", "vector", *manner.COLUMNS)
"""Of sketches, that are read."""


def from_sketches(sketches: Sequence[Path], accounts: pa.Array, threads: int = 1) -> pa.Table:
    """One row an account, in the order of `accounts`: sums over its events, see model.PROFILES."""
    total = Sums()
    files = (pq.ParquetFile(path) for path in sketches)
    batches = (batch for file in files for batch in file.iter_batches(ROWS, columns=list(COLUMNS)))
    for found in threaded(of_batch, batches, threads):
        total.take(*found)
    return aligned(total.table(), accounts)


PARTIAL = pa.schema([("account_id", pa.string()), ("events", pa.int64()),
                     ("sums", pa.list_(pa.float64())), ("manner", pa.list_(pa.float64()))])  # fmt: skip
"""Sums of some accounts; rows of one account add."""


class Sums:
    """Sums by account while events stream past; memory grows with the accounts, not with the events."""

    def __init__(self) -> None:
        self.place: dict[str, int] = {}
        self.sums, self.ways = np.zeros((1024, PROFILE)), np.zeros((1024, MANNER))
        self.counts = np.zeros(1024, np.int64)

    def add(self, batch: pa.RecordBatch) -> None:
        """Take events: the `COLUMNS` of sketches."""
        self.take(*of_batch(batch))

    def take(self, here: list[str], sums: Floats, counts: Ints, ways: Floats) -> None:
        """Take what was summed of the accounts that are `here`."""
        rows = np.array([self.place.setdefault(account, len(self.place)) for account in here], np.int64)
        while len(self.place) > len(self.counts):
            self.sums, self.ways = (np.concatenate([old, np.zeros_like(old)]) for old in (self.sums, self.ways))
            self.counts = np.concatenate([self.counts, np.zeros_like(self.counts)])
        self.sums[rows] += sums
        self.counts[rows] += counts
        self.ways[rows] += ways

    def table(self) -> pa.Table:
        """PARTIAL."""
        n = len(self.place)
        lists = (
            pa.FixedSizeListArray.from_arrays(pa.array(values[:n].ravel()), width).cast(pa.list_(pa.float64()))
            for values, width in ((self.sums, PROFILE), (self.ways, MANNER))
        )
        return pa.table([pa.array(list(self.place), pa.string()), pa.array(self.counts[:n]), *lists], schema=PARTIAL)


def of_batch(batch: pa.RecordBatch) -> tuple[list[str], Floats, Ints, Floats]:
    """Its accounts, and `summed` of them: a batch costs the same however many accounts the log has."""
    encoded = batch["account_id"].dictionary_encode()
    here = encoded.dictionary.to_pylist()
    return here, *summed(batch, encoded.indices.to_numpy().astype(np.int64), len(here))


def of_partition(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """PARTIAL of all events of some accounts, for an engine that has dealt them out."""
    total = Sums()
    for batch in batches:
        total.add(batch)
    yield from total.table().to_batches(max_chunksize=4096)


def aligned(partial: pa.Table, accounts: pa.Array) -> pa.Table:
    """model.PROFILES in the order of `accounts` from PARTIAL with one row an account."""
    rows = pc.index_in(partial["account_id"].combine_chunks(), value_set=accounts).to_numpy().astype(np.int64)
    sums, ways, counts = np.zeros((len(accounts), PROFILE)), np.zeros((len(accounts), MANNER)), np.zeros(len(accounts))
    if len(rows):
        sums[rows] = partial["sums"].combine_chunks().flatten().to_numpy().reshape(-1, PROFILE)
        ways[rows] = partial["manner"].combine_chunks().flatten().to_numpy().reshape(-1, MANNER)
        counts[rows] = partial["events"].to_numpy()
    return table(accounts, counts.astype(np.int64), sums, ways)


def summed(batch: pa.RecordBatch, rows: Ints, accounts: int) -> tuple[Floats, Ints, Floats]:
    """Sums of features, events that have a vector, and sums of manner, by account; `rows` is that of each event."""
    vectors, some = unpacked(batch["vector"])
    return *accumulate(rows[some], vectors[some], accounts), manner.sums(batch, rows, accounts)


def table(accounts: pa.Array, counts: Ints, sums: Floats, ways: Floats) -> pa.Table:
    """model.PROFILES of the sums of each account."""
    embedding = pa.FixedSizeListArray.from_arrays(pa.array(sums.astype(np.float32).ravel()), PROFILE)
    how = pa.FixedSizeListArray.from_arrays(pa.array(ways.ravel()), MANNER)
    return pa.table([accounts, pa.array(counts), embedding, how], names=PROFILES.names).cast(PROFILES)
