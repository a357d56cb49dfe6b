"""The store in SQLite's write-ahead log with `synchronous=FULL`: a commit returns when the disk has it.

SQLite has no checksum of its own once a page has left that log, hence the parcel's.
"""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

from stillwatch.service.store import Stored, StoreError, Waiting, checked


class SQLiteStore:
    """One file; other processes may read it while one writes."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.db = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
            path.chmod(0o600)
            self.db.execute("pragma journal_mode = wal")
            self.db.execute("pragma synchronous = full")
            self.db.execute(
                "create table if not exists parcels (number integer primary key autoincrement, at real not null, "
                "events integer not null, crc integer not null, data blob not null)"
            )
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"cannot open the store {path}: {error}") from error

    def append(self, parcels: Sequence[tuple[bytes, int]]) -> int:
        """See `Store`."""
        now, last = time.time(), 0
        try:
            self.db.execute("begin immediate")
            for data, events in parcels:
                row = (now, events, zlib.crc32(data), data)
                last = (
                    self.db.execute("insert into parcels (at, events, crc, data) values (?, ?, ?, ?)", row).lastrowid
                    or 0
                )
            self.db.execute("commit")
        except sqlite3.Error as error:
            if self.db.in_transaction:
                self.db.execute("rollback")
            raise StoreError(f"the store cannot take more: {error}") from error
        return last

    def read(self, after: int, most_bytes: int) -> list[Stored]:
        """See `Store`."""
        found: list[Stored] = []
        size = 0
        try:
            rows = self.db.execute("select number, data, crc from parcels where number > ? order by number", (after,))
            for number, data, crc in rows:
                found.append(checked(number, data, crc))
                size += len(data)
                if size >= most_bytes:
                    break
            rows.close()
        except sqlite3.Error as error:
            raise StoreError(f"the store cannot be read: {error}") from error
        return found

    def drop(self, upto: int) -> None:
        """See `Store`."""
        try:
            self.db.execute("delete from parcels where number <= ?", (upto,))
        except sqlite3.Error as error:
            raise StoreError(f"the store cannot drop what was merged: {error}") from error

    def waiting(self) -> Waiting:
        """See `Store`."""
        try:
            count, events, size, oldest = self.db.execute(
                "select count(*), coalesce(sum(events), 0), coalesce(sum(length(data)), 0), min(at) from parcels"
            ).fetchone()
            last = self.db.execute(
                "select coalesce(max(seq), 0) from sqlite_sequence where name = 'parcels'"
            ).fetchone()
        except sqlite3.Error as error:
            raise StoreError(f"the store cannot be read: {error}") from error
        return Waiting(count, events, size, last[0] if last else 0, oldest)

    def close(self) -> None:
        """See `Store`."""
        self.db.close()
