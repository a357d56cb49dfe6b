"""The engine in the process: Ibis expressions on DuckDB, spilling to disk when memory runs out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from stillwatch.errors import RunError


class DuckDBEngine:
    """Reads Parquet tables as Ibis tables and runs expressions."""

    def __init__(self, *, memory: str = "4GB", threads: int | None = None, scratch: Path | None = None) -> None:
        settings: dict[str, str | int] = {
            "memory_limit": memory,
            "preserve_insertion_order": "false",
        }
        if threads:
            settings["threads"] = threads
        if scratch is not None:
            settings["temp_directory"] = str(scratch)
        self.backend = ibis.duckdb.connect(**settings)

    def table(self, path: Path | Sequence[Path]) -> ir.Table:
        """The Parquet file at `path`, or several files of one schema, as an Ibis table, unread until needed."""
        return self.backend.read_parquet(str(path) if isinstance(path, Path) else [str(one) for one in path])

    def run(self, expression: ir.Table) -> pa.Table:
        """The rows of an expression; RunError if the engine runs out of memory or disk."""
        try:
            return expression.to_pyarrow()
        except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
            raise RunError(f"the engine ran out of room: {error}") from error

    def close(self) -> None:
        """Let go of memory and scratch files."""
        self.backend.disconnect()
