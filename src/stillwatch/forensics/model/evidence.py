"""What was got from a suspect, as tables: each test reads one, and the columns tell which it is.

| table | columns |
|---|---|
| twins | request_id, logprob_0, logprob_1; if known tokens_0, tokens_1, reference_0, reference_1 |
| twins_text | request_id, likeness_0, likeness_1 |
| tokens | tokens or text; if known prompt_tokens or prompt |
| distribution | window, token, chance |
| canaries | place, answer, logprob |

Log-probabilities are in nats, of the whole answer. 0 and 1 are the twins in the order of the log: whoever fills such a
table need not know, and should not know, which was served.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
import pyarrow.parquet as pq

from stillwatch.errors import InputError

Floats = npt.NDArray[np.float64]

TABLES: Mapping[str, tuple[frozenset[str], ...]] = {
    "twins": (frozenset({"request_id", "logprob_0", "logprob_1"}),),
    "twins_text": (frozenset({"request_id", "likeness_0", "likeness_1"}),),
    "distribution": (frozenset({"window", "token", "chance"}),),
    "canaries": (frozenset({"place", "answer", "logprob"}),),
    "tokens": (frozenset({"tokens"}), frozenset({"text"})),
}
FEEDS = {
    "twins": "twins", "twins_text": "twins_text", "text": "tokens", "text_weighted": "tokens",
    "distribution": "distribution", "canaries": "canaries",
}  # fmt: skip
"""Statistic -> the table it reads."""


def read_evidence(path: Path) -> tuple[str, pa.Table]:
    """(which table, its rows) of a Parquet or JSON lines file. InputError if it is none of them."""
    try:
        if path.suffix == ".parquet":
            table = pq.read_table(path)
        elif path.suffix in {".jsonl", ".ndjson", ".json"}:
            table = pj.read_json(path)
        else:
            raise InputError(f"{path}: evidence is Parquet or JSON lines (.parquet, .jsonl)")
    except FileNotFoundError as error:
        raise InputError(f"no file {path}") from error
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    names = set(table.column_names)
    for kind, choices in TABLES.items():
        if any(needed <= names for needed in choices):
            if not table.num_rows:
                raise InputError(f"refused: {path} has no rows")
            return kind, table
    known = "; ".join(" or ".join(", ".join(sorted(c)) for c in choices) for choices in TABLES.values())
    raise InputError(f"refused: {path} has the columns {', '.join(sorted(names)) or '(none)'}; needed are {known}")


def numbers(table: pa.Table, name: str) -> Floats:
    """A numeric column, finite, [n]. A refusal with the row if one is missing, NaN or infinite."""
    column = table.column(name)
    try:
        values = np.asarray(pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    except pa.ArrowException as error:
        raise InputError(f"refused: column {name} does not hold numbers") from error
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise InputError(f"refused: {name} is missing or not a finite number in {len(bad):,} rows, first {bad[0] + 1}")
    return values


def strings(table: pa.Table, name: str) -> list[str]:
    """A text column without nulls, [n]; numbers are taken as text."""
    column = table.column(name)
    if column.null_count:
        raise InputError(f"refused: {name} is missing in {column.null_count:,} rows")
    try:
        return [str(value) for value in pc.cast(column, pa.string()).to_pylist()]
    except pa.ArrowException as error:
        raise InputError(f"refused: column {name} does not hold text") from error


def sequences(table: pa.Table, name: str) -> list[npt.NDArray[np.int64]]:
    """A column of lists of tokens, [n]; each from 0."""
    column = table.column(name)
    kind = column.type
    listed = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not listed or not (pa.types.is_integer(kind.value_type) or pa.types.is_null(kind.value_type)):
        raise InputError(f"refused: column {name} does not hold lists of whole numbers")
    out = []
    for row, value in enumerate(column.to_pylist(), 1):
        if value is None or any(token is None or token < 0 for token in value):
            raise InputError(f"refused: {name} is missing or not a list of tokens in row {row}")
        out.append(np.array(value, dtype=np.int64))
    return out
