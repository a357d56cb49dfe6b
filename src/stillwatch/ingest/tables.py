"""Small tables beside the log (accounts, releases, networks, ...): read whole, from any container."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from stillwatch.errors import InputError
from stillwatch.ingest import records
from stillwatch.ingest.readers import UnreadableError, read
from stillwatch.ingest.sources import open_source
from stillwatch.ingest.streams import Lines
from stillwatch.settings import IngestSettings


@dataclass
class SmallTable:
    """Columns as lists of Python values, and the row of each in its file."""

    path: Path
    columns: dict[str, list[Any]] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)
    rejects: list[tuple[int, str]] = field(default_factory=list)

    def require(self, *names: str) -> None:
        """InputError if a column is missing."""
        for name in names:
            if self.rows and name not in self.columns:
                there = ", ".join(sorted(self.columns)[:40])
                raise InputError(f"{self.path}: the required column {name} is missing; there are: {there}")

    def get(self, name: str) -> list[Any]:
        """A column; nulls if it is not there."""
        return self.columns.get(name) or [None] * len(self.rows)

    def records(self) -> list[tuple[int, dict[str, Any]]]:
        """(row, values by column) of each row."""
        names = list(self.columns)
        return [
            (row, dict(zip(names, values, strict=True)))
            for row, *values in zip(self.rows, *self.columns.values(), strict=True)
        ]


def read_small(path: Path) -> SmallTable:
    """Read a table whole; InputError if nothing of it can be read."""
    if not path.exists():
        raise InputError(f"{path}: there is no such file")
    out = SmallTable(path)
    try:
        for chunk in read(open_source(0, path, path.parent, "table"), IngestSettings()):
            out.rejects += chunk.rejects
            payload = chunk.payload
            if isinstance(payload, Lines):
                part = records.parse(payload)
                out.rejects += part.rejects
                _extend(out, part.rows, _columns(part.records))
            elif isinstance(payload, pa.RecordBatch) and chunk.rows is not None:
                _extend(out, chunk.rows.tolist(), payload.to_pydict())
    except (UnreadableError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path}: {error}") from error
    return out


def _columns(found: list[dict[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for record in found for name in record)
    return {name: [record.get(name) for record in found] for name in names}


def _extend(out: SmallTable, rows: list[int], columns: Mapping[str, list[Any]]) -> None:
    before = len(out.rows)
    for name in {*out.columns, *columns}:
        column = out.columns.setdefault(name, [None] * before)
        column += columns.get(name) or [None] * len(rows)
    out.rows += rows
