"""Which store a name means."""

from __future__ import annotations

from pathlib import Path

from stillwatch.errors import UsageError
from stillwatch.service.postgres import PostgresStore
from stillwatch.service.sqlite import SQLiteStore
from stillwatch.service.store import Store


def open_store(where: str) -> Store:
    """A store at a path or a PostgreSQL URL."""
    if where.startswith(("postgresql://", "postgres://")):
        return PostgresStore(where)
    if "://" in where:
        raise UsageError(f"a store is a path or a postgresql:// URL, not {where.split('://', maxsplit=1)[0]}://")
    return SQLiteStore(Path(where))
