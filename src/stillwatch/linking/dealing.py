"""Events of chosen accounts, dealt from a log in the order of time into batches of whole accounts.

A log does not fit into memory, and an account's events lie all over it. So what is needed of each event is written into
one of several scratch files by its account, and each file is then read, sorted and looked at by itself.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numba as nb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.errors import RunError
from stillwatch.hashing import buffers, mix
from stillwatch.linking.matrix import Ints

BATCH = 1_000_000
"""Events looked at at once, if no account has more."""
MOST_BATCHES = 250
"""Scratch files."""
BUFFER = 1 << 18
ROWS = 1 << 16
"""Read from a scratch file at once."""
RECORD = np.dtype(
    [("account", "i4"), ("case", "i4"), ("row", "i8"), ("time", "i8"), ("ratio", "f8"),
     *((name, "u8") for name in ("unit", "user", "network", "client", "key", "origin", "where")),
     ("marked", "?"), ("exit", "?"), ("bytes", "i4")]
)  # fmt: skip
"""An event in an account that a case suspects: places, microseconds, log ratio, hashes (0: null), its id's bytes."""
CODED = ("unit", "user", "network", "client", "key", "origin", "where")
"""Columns of hashes."""


class Batch:
    """Whole accounts: rows in the order of account, case, time and event.

    An account may have a tenth of a log. So rows stay in their files, as they were dealt, and a field is read when it
    is asked for: a dozen times over them all, where holding them would take three times the memory.
    """

    def __init__(self, rows: BinaryIO, texts: BinaryIO) -> None:
        self._rows, self._texts = rows, texts
        with disk():
            self._n = rows.seek(0, 2) // RECORD.itemsize
            texts.flush()
        self._order, self.starts = self._sorted()

    def __len__(self) -> int:
        return self._n

    def column(self, name: str) -> npt.NDArray[Any]:
        """A field of RECORD, [n]."""
        return np.asarray(self._field(name)[self._order])

    def ids(self, rows: Ints) -> pa.Array:
        """Event ids of some rows."""
        return self._named(self._order[rows])

    def _field(self, name: str) -> npt.NDArray[Any]:
        """As the rows were dealt."""
        out = np.empty(self._n, RECORD[name])
        with disk():
            self._rows.seek(0)
            for start in range(0, self._n, ROWS):
                part = np.frombuffer(self._rows.read(ROWS * RECORD.itemsize), RECORD)
                out[start : start + len(part)] = part[name]
        return out

    def _named(self, places: Ints) -> pa.Array:
        """Ids of rows as they were dealt; no page of the file is read that holds none of them."""
        offsets = np.zeros(self._n + 1, np.int64)
        np.cumsum(self._field("bytes"), out=offsets[1:])
        with disk():
            text = mmap.mmap(self._texts.fileno(), 0, access=mmap.ACCESS_READ) if offsets[-1] else b""
        named = pa.Array.from_buffers(pa.large_string(), self._n, [None, pa.py_buffer(offsets), pa.py_buffer(text)])
        return named.take(pa.array(places))

    def _sorted(self) -> tuple[Ints, Ints]:
        """Where each row lies, [n], and where each account and case begins, [G + 1]."""
        whose, time = self._field("account").astype(np.int64) << 32 | self._field("case"), self._field("time")
        order = np.lexsort((time, whose))
        whose, time = whose[order], time[order]
        same = (whose[1:] == whose[:-1]) & (time[1:] == time[:-1])
        if same.any():
            # of one time: by the event's id
            run = np.concatenate([[0], np.cumsum(~same)])
            tied = np.flatnonzero(np.concatenate([[False], same]) | np.concatenate([same, [False]]))
            rows = pa.table({"run": run[tied], "id": self._named(order[tied])})
            places = pc.sort_indices(rows, sort_keys=[("run", "ascending"), ("id", "ascending")]).to_numpy()
            order[tied] = order[tied][places]
        starts = np.flatnonzero(np.concatenate([[True], whose[1:] != whose[:-1]]))
        return order, np.append(starts, len(whose))


class Dealt:
    """Scratch files with events of accounts, `sizes` [A] of each of which are to come."""

    def __init__(self, sizes: Ints, scratch: Path | None = None) -> None:
        most = max(BATCH, int(sizes.sum()) // MOST_BATCHES + 1)
        self.cut = (np.cumsum(sizes) - sizes) // most
        self.files: dict[int, tuple[BinaryIO, BinaryIO]] = {}
        self.scratch = scratch

    def add(self, records: npt.NDArray[np.void], ids: pa.Array) -> None:
        """Some events and their ids."""
        if not len(records):
            return
        part = self.cut[records["account"]]
        order = np.argsort(part, kind="stable")
        part, records, ids = part[order], taken(records, order), ids.take(pa.array(order))
        data, offsets = buffers(ids)
        records["bytes"] = np.diff(offsets)
        different, first = np.unique(part, return_index=True)
        ends = np.append(first[1:], len(part))
        with disk():
            for at, low, high in zip(different.tolist(), first.tolist(), ends.tolist(), strict=True):
                if at not in self.files:
                    self.files[at] = (nameless(self.scratch), nameless(self.scratch))
                rows, texts = self.files[at]
                rows.write(pa.py_buffer(records[low:high]))
                texts.write(pa.py_buffer(data[offsets[low] : offsets[high]]))

    def batches(self) -> Iterator[Batch]:
        """In the order of accounts; each can be asked for once, and is gone when the next is."""
        for at in sorted(self.files):
            rows, texts = self.files.pop(at)
            with rows, texts:
                yield Batch(rows, texts)


def taken(records: npt.NDArray[np.void], rows: Ints) -> npt.NDArray[np.void]:
    """Some records; whole, since numpy copies those of several fields one field at a time."""
    whole = records.view(np.dtype((np.void, RECORD.itemsize)))
    return np.asarray(whole[rows].view(RECORD))


def nameless(scratch: Path | None) -> BinaryIO:
    """A file for writing and reading that is gone when it is closed, and when the process ends in any way."""
    return cast(BinaryIO, tempfile.TemporaryFile(dir=scratch, buffering=BUFFER))


@contextmanager
def disk() -> Iterator[None]:
    """RunError where scratch files cannot be written or read."""
    try:
        yield
    except OSError as error:
        raise RunError(f"cannot keep scratch files (--tmp names another folder): {error.strerror}") from error


@nb.njit(cache=True, nogil=True)
def numbered(values, starts):  # type: ignore[no-untyped-def]
    """Numbers for the values of each group, by where they stand first: [n], from 0 on; `starts` [G + 1].

    A table of open addresses a group: a sort takes several times as long.
    """
    out = np.empty(len(values), np.int32)
    most = 1
    for g in range(len(starts) - 1):
        while most < 2 * (starts[g + 1] - starts[g]):
            most *= 2
    keys, codes = np.empty(most, np.uint64), np.full(most, -1, np.int32)
    for g in range(len(starts) - 1):
        size = 1
        while size < 2 * (starts[g + 1] - starts[g]):
            size *= 2
        codes[:size] = -1
        found = 0
        for k in range(starts[g], starts[g + 1]):
            value = values[k]
            at = np.int64(mix(value)) & (size - 1)
            while codes[at] >= 0 and keys[at] != value:
                at = (at + 1) & (size - 1)
            if codes[at] < 0:
                keys[at], codes[at] = value, found
                found += 1
            out[k] = codes[at]
    return out
