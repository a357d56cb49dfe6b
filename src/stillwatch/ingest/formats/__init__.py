"""The log formats that can be read. A format turns one raw record into a dict of canonical columns, not yet cast."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

from stillwatch.ingest.formats import bedrock, litellm, otel, table
from stillwatch.settings import IngestSettings

Record = Mapping[str, Any]
RecordReader = Callable[[Record, IngestSettings], dict[str, Any]]

READERS: dict[str, RecordReader] = {"table": table.row, "litellm": litellm.row, "bedrock": bedrock.row}
"""Formats whose records stand alone. `otel` is read by `otel.Joiner`, which joins spans with their parents."""
FORMATS = ("table", "otel", "litellm", "bedrock")


def parse(line: bytes) -> Any:
    """JSON value of a line, or None if it is not JSON."""
    try:
        return orjson.loads(line)
    except ValueError:
        return None


def begins_object(text: bytes) -> bool:
    """Whether a text laid out over lines begins like an object: a brace, then a quoted key or the end."""
    return text[1:].lstrip().startswith((b'"', b"}")) and b"\n" in text[: text.find(b'"') + 1]


def detect(path: Path, container: str, head: bytes) -> str:
    """The format of a file from its first bytes (decompressed) or its Parquet columns; `table` if nothing else fits."""
    if container == "parquet":
        try:
            names = set(pq.read_schema(path).names)
        except (OSError, ValueError):
            return "table"
        return _of_names(names)
    if container == "csv":
        first = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode("utf-8", "replace")
        return _of_names({name.strip().strip('"') for name in first.replace(";", ",").replace("\t", ",").split(",")})
    for line in head.split(b"\n")[:50]:
        record = parse(line)
        if isinstance(record, dict):
            return _of_names(set(record) | set(bedrock.unwrap(record)))
    return _of_text(head)


def _of_names(names: set[str]) -> str:
    if names & otel.MARKS:
        return "otel"
    if names >= {"requestId", "modelId"} or "ModelInvocationLog" in names or names >= {"schemaType", "modelId"}:
        return "bedrock"
    if litellm.is_payload(names) or litellm.is_spend_log(names):
        return "litellm"
    return "table"


def _of_text(head: bytes) -> str:
    """An array or an object laid out over lines: go by the words that stand in it as keys."""
    names = set(_keys(head))
    for known in (otel.MARKS, {"requestId", "modelId"}, litellm.PAYLOAD_MARKS, litellm.SPEND_MARKS):
        if known is otel.MARKS:
            if names & known:
                return "otel"
        elif names >= known:
            return _of_names(set(known))
    return "table"


def _keys(head: bytes) -> list[str]:
    return [name.decode() for name in re.findall(rb'"(\w{1,64})"\s*:', head)]
