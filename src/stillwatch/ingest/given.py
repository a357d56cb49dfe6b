"""Traits that somebody else made: a table of account, view, token and n -> model.TRAITS, with every odd row counted.

Parquet, CSV or JSON lines. Ids, views and tokens are any text (whole numbers are written out); n is a whole number from
1. Rows of one account, view and token add up, as parts of traits do everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.errors import InputError
from stillwatch.ingest import columns, records
from stillwatch.ingest.readers import UnreadableError, read
from stillwatch.ingest.sources import open_source
from stillwatch.ingest.streams import Lines
from stillwatch.model import REJECTS, TRAITS
from stillwatch.settings import IngestSettings

NAMES = tuple(TRAITS.names)
WORDS = NAMES[:3]
LONGEST = 4096
"""Characters of an id, a view or a token; what is longer is no name."""
MOST = 1 << 40
"""Largest n: sums of millions of rows still fit 64 bits."""


@dataclass(frozen=True)
class GivenTraits:
    """What a file of traits says."""

    traits: pa.Table
    """model.TRAITS, one row an account, view and token."""
    rejects: pa.Table
    """model.REJECTS."""
    source: dict[str, Any]
    """Path, bytes and SHA-256 of the file."""
    counts: dict[str, int]
    """Rows in = kept + rejected; `merged` of those kept said again what another row had said, and were added to it."""


def read_traits(path: Path) -> GivenTraits:
    """Read a file of traits whole; InputError if it is missing, unreadable, or without a column or a usable row."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    source = open_source(0, path, path.parent, "table")
    parts, rejects = [], []
    rows_in = 0
    seen: set[str] = set()
    try:
        for chunk in read(source, IngestSettings(), set(NAMES)):
            found, rows, bad = _columns(chunk.payload, chunk.rows)
            seen |= set(found)
            rows_in += len(rows) + len(chunk.rejects) + len(bad)
            rejects += [*chunk.rejects, *bad]
            if len(rows):
                _require(path, found)
                table, odd = _cast(found, rows)
                parts.append(table)
                rejects += odd
    except (UnreadableError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path}: {error}") from error
    if not rows_in:
        raise InputError(f"{path}: there are no rows in it; it needs the columns {', '.join(NAMES)}")
    kept = pa.concat_tables(parts) if parts else TRAITS.empty_table()
    if not len(kept):
        row, reason = min(rejects)
        raise InputError(f"{path}: no row can be used; row {row}: {reason}")
    merged = _merged(kept)
    counts = {"rows": rows_in, "kept": len(kept), "rejected": len(rejects), "merged": len(kept) - len(merged)}
    record = {"path": str(path), "bytes": source.bytes, "sha256": source.sha256}
    rejects.sort()
    names = pa.array([str(path)] * len(rejects), pa.string())
    listed = pa.table([names, *_lists(rejects)], schema=REJECTS)
    return GivenTraits(merged, listed, record, counts)


def _lists(rejects: list[tuple[int, str]]) -> tuple[pa.Array, pa.Array]:
    return pa.array([row for row, _ in rejects], pa.int64()), pa.array([why for _, why in rejects], pa.string())


def _columns(payload: Any, rows: Any) -> tuple[Mapping[str, columns.Raw], np.ndarray, list[tuple[int, str]]]:
    """Raw columns that are there, the number of each row, and rows that are no records."""
    if isinstance(payload, Lines):
        part = records.parse(payload)
        payload, rows, bad = part.records, np.array(part.rows, np.int64), part.rejects
    else:
        bad = []
    if isinstance(payload, pa.RecordBatch):
        return {name: payload.column(name) for name in NAMES if name in payload.schema.names}, rows, bad
    there = {name for record in payload for name in record}
    return {name: [record.get(name) for record in payload] for name in NAMES if name in there}, rows, bad


def _require(path: Path, found: Mapping[str, columns.Raw]) -> None:
    missing = [name for name in NAMES if name not in found]
    if missing:
        raise InputError(
            f"{path}: the required column {missing[0]} is missing; traits have the columns {', '.join(NAMES)}"
        )


def _cast(found: Mapping[str, columns.Raw], rows: np.ndarray) -> tuple[pa.Table, list[tuple[int, str]]]:
    """Usable rows as model.TRAITS, and (row, reason) of the others: the first thing that is wrong with each."""
    cast = {name: columns.words(found[name])[0] for name in WORDS}
    cast["n"] = columns.integers(found["n"])[0]
    reason = np.full(len(rows), "", dtype=object)
    n = np.asarray(cast["n"].fill_null(0))
    reason[(n < 1) | (n > MOST)] = f"n is no whole number from 1 to {MOST}"
    # a link lists its views with commas between them
    reason[np.asarray(pc.match_substring(cast["view"], ",").fill_null(False))] = "the view has a comma in its name"
    for name in reversed(WORDS):
        reason[np.asarray(pc.greater(pc.utf8_length(cast[name]), LONGEST).fill_null(False))] = (
            f"{name} is longer than {LONGEST} characters"
        )
        reason[np.asarray(cast[name].is_null())] = f"no {name}"
    good = reason == ""
    table = pa.table([cast[name].cast(TRAITS.field(name).type) for name in NAMES], schema=TRAITS)
    odd = [(int(row), str(why)) for row, why in zip(rows[~good], reason[~good], strict=True)]
    return table.filter(pa.array(good)), odd


def _merged(table: pa.Table) -> pa.Table:
    """Rows of one account, view and token as one, in the order of their names."""
    summed = table.group_by(list(WORDS)).aggregate([("n", "sum")]).rename_columns(list(NAMES))
    return summed.select(list(NAMES)).cast(TRAITS).sort_by([(name, "ascending") for name in WORDS])
