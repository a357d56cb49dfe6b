"""Reads the tables of the documentation, and writes types as the documentation does."""

from __future__ import annotations

import re
from itertools import dropwhile, takewhile
from pathlib import Path

import pyarrow as pa

DOCS = Path(__file__).parent.parent / "docs"


def friendly(kind: pa.DataType) -> str:
    """An Arrow type in the words of docs/tables.md."""
    if pa.types.is_timestamp(kind):
        return "time"
    if pa.types.is_fixed_size_binary(kind):
        return f"{kind.byte_width} bytes"
    if pa.types.is_fixed_size_list(kind):
        return f"{kind.list_size} x {friendly(kind.value_type)}"
    return {"double": "float64", "float": "float32"}.get(str(kind), str(kind))


def sections(text: str) -> dict[str, str]:
    """Heading -> what stands below it, up to the next heading."""
    parts = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {heading.strip(): body for heading, body in zip(parts[1::2], parts[2::2], strict=True)}


def rows(text: str) -> list[list[str]]:
    """Cells of the first Markdown table of a text, without its head."""
    lines = dropwhile(lambda line: not line.startswith("|"), text.splitlines())
    table = list(takewhile(lambda line: line.startswith("|"), lines))
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[2:]]


def columns(text: str) -> list[tuple[str, str, bool]]:
    """(name, type, required) of a table of columns; every column must have a meaning."""
    out = []
    for name, kind, meaning in rows(text):
        assert meaning, f"{name} has no meaning"
        found = re.fullmatch(r"`([\w.]+)`( \*)?", name)
        assert found, f"not a column: {name}"
        out.append((found[1], kind, bool(found[2])))
    return out


def columns_by_merge(text: str) -> list[tuple[str, str, str]]:
    """(column, merge, meaning) of `summaries`, from the whole page."""
    return [(name.strip("`"), merge, meaning) for name, merge, meaning in rows(sections(text)["`summaries`"])]
