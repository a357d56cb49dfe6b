"""Where parcels wait until they are merged into the state: durable before anybody is told that they were taken.

The default is SQLite's write-ahead log with `synchronous=FULL`: a commit returns when the disk has it. A parcel has a
checksum besides, as SQLite has none of its own once a page has left the log. Numbers only rise and are never given
twice, also after everything was dropped.
"""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stillwatch.errors import RunError, UsageError


class StoreError(RunError):
    """The store cannot take or give parcels: no room, no connection, damage. What was not acknowledged is not kept."""


@dataclass(frozen=True)
class Waiting:
    """What is in the store."""

    parcels: int = 0
    events: int = 0
    bytes: int = 0
    last: int = 0
    """Number of the newest parcel ever stored."""
    oldest_at: float | None = None
    """When the oldest parcel came, seconds since 1970."""


@dataclass(frozen=True)
class Stored:
    """A parcel with its number."""

    number: int
    data: bytes


class Store(Protocol):
    """What a store can do; an instance belongs to one thread."""

    def append(self, parcels: Sequence[tuple[bytes, int]]) -> int:
        """Keep (parcel, events) of each; they are durable when the number of the last is returned. StoreError."""

    def read(self, after: int, most_bytes: int) -> list[Stored]:
        """Parcels numbered above `after` in order, at least one if there is one, up to about `most_bytes`."""

    def drop(self, upto: int) -> None:
        """Parcels up to that number have been merged elsewhere."""

    def waiting(self) -> Waiting:
        """How much is in it."""

    def close(self) -> None:
        """Let go of it."""


def open_store(where: str) -> Store:
    """A store at a path or a PostgreSQL URL."""
    if where.startswith(("postgresql://", "postgres://")):
        from stillwatch.service.postgres import PostgresStore

        return PostgresStore(where)
    if "://" in where:
        raise UsageError(f"a store is a path or a postgresql:// URL, not {where.split('://', maxsplit=1)[0]}://")
    return SQLiteStore(Path(where))


def checked(number: int, data: bytes, crc: int) -> Stored:
    """A parcel that is what was stored; StoreError names the one that is not."""
    if zlib.crc32(data) != crc:
        raise StoreError(f"parcel {number} in the store is damaged: its checksum differs. Restore the store")
    return Stored(number, data)


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
