"""The store in PostgreSQL. The password comes from the environment or a `.pgpass`, as libpq reads it."""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from typing import Any

from stillwatch.errors import UsageError
from stillwatch.service.store import Stored, StoreError, Waiting, checked

TABLE = """
create table if not exists stillwatch_parcels (
  number bigint generated always as identity primary key, at double precision not null,
  events bigint not null, crc bigint not null, data bytea not null
)"""
INSERT = "insert into stillwatch_parcels (at, events, crc, data) values (%s, %s, %s, %s) returning number"


class PostgresStore:
    """A connection of its own; it is made anew when it broke."""

    def __init__(self, url: str) -> None:
        try:
            import psycopg
        except ImportError as error:
            raise UsageError("a store in PostgreSQL needs: pip install 'stillwatch[postgres]'") from error
        self.url, self.psycopg = url, psycopg
        self.db: Any = None
        self._do(lambda db: db.execute(TABLE))

    def _do(self, work: Any) -> Any:
        """One transaction, committed and flushed to disk when it returns."""
        try:
            if self.db is None or self.db.closed:
                self.db = self.psycopg.connect(self.url, connect_timeout=10)
                self.db.execute("set synchronous_commit = on")
                self.db.commit()
            with self.db.transaction():
                return work(self.db)
        except self.psycopg.Error as error:
            if self.db is not None:
                self.db.close()
            self.db = None
            # the message of libpq names host and user, never the password
            raise StoreError(f"the store in PostgreSQL failed: {str(error).strip()[:200]}") from error

    def append(self, parcels: Sequence[tuple[bytes, int]]) -> int:
        """See `Store`."""
        now = time.time()

        def insert(db: Any) -> int:
            # numbers are handed out before commits: only one writer at a time keeps them in the order of commits
            db.execute("lock table stillwatch_parcels in exclusive mode")
            last = 0
            for data, events in parcels:
                last = db.execute(INSERT, (now, events, zlib.crc32(data), data)).fetchone()[0]
            return last

        return int(self._do(insert))

    def read(self, after: int, most_bytes: int) -> list[Stored]:
        """See `Store`."""

        def select(db: Any) -> list[Stored]:
            found, size = [], 0
            with db.cursor(name="parcels") as rows:
                rows.itersize = 64
                rows.execute(
                    "select number, data, crc from stillwatch_parcels where number > %s order by number", (after,)
                )
                for number, data, crc in rows:
                    found.append(checked(number, bytes(data), crc))
                    size += len(data)
                    if size >= most_bytes:
                        break
            return found

        return list(self._do(select))

    def drop(self, upto: int) -> None:
        """See `Store`."""
        self._do(lambda db: db.execute("delete from stillwatch_parcels where number <= %s", (upto,)))

    def waiting(self) -> Waiting:
        """See `Store`."""

        def count(db: Any) -> Waiting:
            row = db.execute(
                "select count(*), coalesce(sum(events), 0), coalesce(sum(length(data)), 0), min(at) "
                "from stillwatch_parcels"
            ).fetchone()
            sequence = "pg_get_serial_sequence('stillwatch_parcels', 'number')"
            last = db.execute(f"select coalesce(pg_sequence_last_value({sequence}::regclass), 0)").fetchone()[0]
            return Waiting(int(row[0]), int(row[1]), int(row[2]), int(last), row[3])

        found = self._do(count)
        assert isinstance(found, Waiting)
        return found

    def close(self) -> None:
        """See `Store`."""
        if self.db is not None:
            self.db.close()
