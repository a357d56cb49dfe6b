"""Sketches, read in order and a few columns at once: what streams ask of the whole log, they ask in passes.

A text column that repeats arrives as a dictionary, so that its values are hashed once a batch and not once an event.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numba as nb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.hashing import OFFSET, chain, hash64_array, mix
from stillwatch.linking.matrix import Ints

Hashes = npt.NDArray[np.uint64]
Source: TypeAlias = Sequence[Path] | pa.Table
"""Files of model.SKETCHES, or such a table."""
ROWS = 1 << 17
"""Events read at once."""
REPEATED = ("account_id", "end_user_id", "key_id", "address_prefix", "user_agent", "ja4", "model", "script")
"""Text columns that are read as dictionaries."""


@dataclass(frozen=True)
class Part:
    """Events that were read at once; `start` is the place of the first one in the log."""

    start: int
    events: pa.RecordBatch
    account: Ints
    """Place of each event's account, -1 for one that was not asked about."""


def parts(source: Source, columns: Sequence[str], accounts: pa.Array) -> Iterator[Part]:
    """All events in the order of the log; `accounts` are the ids whose places are asked."""
    start = 0
    for batch in _batches(source, ["account_id", *(name for name in columns if name != "account_id")]):
        ids = batch["account_id"]
        coded = ids if pa.types.is_dictionary(ids.type) else ids.dictionary_encode()
        place = pc.index_in(coded.dictionary, value_set=accounts).fill_null(-1).to_numpy().astype(np.int64)
        yield Part(start, batch, place[coded.indices.to_numpy()])
        start += len(batch)


def _batches(source: Source, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    if isinstance(source, pa.Table):
        yield from source.select(columns).to_batches(max_chunksize=ROWS)
        return
    for path in source:
        with pq.ParquetFile(path, read_dictionary=[name for name in REPEATED if name in columns]) as file:
            yield from file.iter_batches(ROWS, columns=list(columns))


def sizes(source: Source, accounts: pa.Array) -> Ints:
    """Events of each account, [A]."""
    out = np.zeros(len(accounts) + 1, np.int64)
    for part in parts(source, (), accounts):
        out += (
            np.bincount(part.account, minlength=len(out))
            if (part.account >= 0).all()
            else np.bincount(np.where(part.account < 0, len(accounts), part.account), minlength=len(out))
        )
    return out[:-1]


def hashed(values: pa.Array) -> Hashes:
    """Hash of each text, 0 for null, [n]."""
    if not pa.types.is_dictionary(values.type):
        out = hash64_array(values)
        out[values.is_null().to_numpy(zero_copy_only=False)] = 0
        return out
    # the last place is that of null
    table = np.append(hash64_array(values.dictionary), np.uint64(0))
    return table[values.indices.fill_null(len(table) - 1).to_numpy()]


def joined(*hashes: Hashes) -> Hashes:
    """One hash of several values an event, [n]."""
    out = np.full(len(hashes[0]), OFFSET)
    for values in hashes:
        _chained(out, values)
    return out


@nb.njit(cache=True, nogil=True)
def _chained(out, values):  # type: ignore[no-untyped-def]
    for k in range(len(out)):
        out[k] = mix(chain(out[k], values[k]))


def numbers(values: pa.Array) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """An unsigned column, and where it has a value, [n] each."""
    there = values.is_valid().to_numpy(zero_copy_only=False)
    return values.fill_null(0).to_numpy(zero_copy_only=False), there
