"""The engine in the process: Ibis expressions on DuckDB, spilling to disk when memory runs out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from stillwatch.engine.room import Room
from stillwatch.errors import RunError


def limits(room: Room, scratch: Path | None) -> dict[str, Any]:
    """DuckDB's settings for a room; what spills goes to `scratch`."""
    spill = {} if scratch is None else {"temp_directory": str(scratch)}
    return {"memory_limit": f"{room.memory}B", "threads": room.cores, **spill}


@contextmanager
def no_room(room: Room, doing: str) -> Iterator[None]:
    """RunError that says what helps, if the engine runs out of memory or disk while `doing` something."""
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        where = f"free some in {room.tmp}" if room.tmp else "name a folder with more of it (--tmp)"
        raise RunError(
            f"the engine ran out of room while {doing}, with {room.memory / 2**30:.2g} GB of memory: give it more "
            f"(--memory), fewer threads (--threads), or, if the disk is full, {where}: {str(error).splitlines()[0]}"
        ) from error


@contextmanager
def duckdb_in(room: Room, folder: Path) -> Iterator[tuple[DuckDBEngine, Path]]:
    """An engine while the block runs, and its scratch folder: in `folder` unless the room names another."""
    with room.scratch(folder) as scratch:
        engine = DuckDBEngine(room, scratch)
        try:
            yield engine, scratch
        finally:
            engine.close()


class DuckDBEngine:
    """Reads Parquet tables as Ibis tables and runs expressions."""

    def __init__(self, room: Room | None = None, scratch: Path | None = None) -> None:
        self.room = room or Room()
        self.backend = ibis.duckdb.connect(**limits(self.room, scratch), preserve_insertion_order="false")

    def table(self, path: Path | Sequence[Path]) -> ir.Table:
        """The Parquet file at `path`, or several files of one schema, as an Ibis table, unread until needed."""
        return self.backend.read_parquet(str(path) if isinstance(path, Path) else [str(one) for one in path])

    def run(self, expression: ir.Table) -> pa.Table:
        """The rows of an expression; RunError if the engine runs out of memory or disk."""
        with no_room(self.room, "working on tables"):
            return expression.to_pyarrow()

    def close(self) -> None:
        """Let go of memory and scratch files."""
        self.backend.disconnect()
