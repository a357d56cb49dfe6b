"""What the stages ask of an engine: relational steps as Ibis expressions, whose rows are the same on every engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import ibis.expr.types as ir
import pyarrow as pa


class Engine(Protocol):
    """Reads Parquet tables as Ibis tables and runs expressions."""

    def table(self, path: Path | Sequence[Path]) -> ir.Table:
        """The Parquet file at `path`, or several files of one schema, as an Ibis table, unread until needed."""

    def run(self, expression: ir.Table) -> pa.Table:
        """The rows of an expression, in its order; types may be the engine's own: cast to the table's schema.

        RunError if the engine runs out of room or breaks.
        """

    def close(self) -> None:
        """Let go of memory, scratch files and connections."""
