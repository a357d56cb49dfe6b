"""Lines of JSON -> columns by Arrow's reader: quicker, and only for lines of the usual shape.

`None` says that some line is of another shape, or broken: then the lines are read one by one, and give the same texts.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from stillwatch.ingest.columns import valid_text
from stillwatch.ingest.streams import Lines

Ints = npt.NDArray[np.int64]
_TURN = ("role", "from", "value", "type", "parts", "content", "text")
"""What is looked at of a turn; in the usual shape all are strings, where there."""


def strings(lines: Lines, name: str) -> pa.Array | None:
    """Column `name` of all lines, strings and nulls; None if a line is no object or has something else there."""
    return _column(lines, name, pa.string())


def turns(lines: Lines, name: str, askers: Collection[str]) -> tuple[int, pa.Array, Ints] | None:
    """(rows, texts, row of each from 0) of the answers in column `name`, which holds turns of plain text."""
    column = _column(lines, name, pa.list_(pa.struct([(key, pa.string()) for key in _TURN])))
    if column is None or (flat := column.flatten()).null_count:
        return None
    role, by, value, kind, parts, content, text = flat.flatten()
    if kind.null_count < len(kind) or parts.null_count < len(parts) or text.null_count < len(text):
        return None
    named = pc.coalesce(role, by).dictionary_encode()  # few in number: each is looked at once
    names = pc.utf8_lower(pc.utf8_trim_whitespace(valid_text(named.dictionary)))
    asker = pc.fill_null(pc.is_in(names, pa.array(sorted(askers))).take(named.indices), False)
    said = pc.if_else(pc.fill_null(pc.equal(value, ""), True), content, value)
    keep = pc.and_(pc.invert(asker), pc.fill_null(pc.not_equal(said, ""), False))
    rows = pc.list_parent_indices(column).filter(keep)
    return len(column), valid_text(said.filter(keep)), np.asarray(rows, np.int64)


def _column(lines: Lines, name: str, kind: pa.DataType) -> pa.Array | None:
    if lines.rejects:
        return None
    try:
        table = pj.read_json(
            pa.BufferReader(lines.data),
            pj.ReadOptions(use_threads=False, block_size=len(lines.data) + 1),
            pj.ParseOptions(pa.schema([(name, kind)]), newlines_in_values=False, unexpected_field_behavior="ignore"),
        )
    except (pa.ArrowException, UnicodeError):
        return None
    if table.num_rows != lines.newlines + (not lines.data.endswith(b"\n")):
        return None  # blank lines, or several objects on one
    return table.column(name).combine_chunks()
