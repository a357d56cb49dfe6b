"""Lines of JSON -> records, with every odd line accounted for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import orjson

from stillwatch.ingest.streams import BAD_BYTES, Lines


@dataclass
class Records:
    """The JSON objects of some lines."""

    rows: list[int] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    rejects: list[tuple[int, str]] = field(default_factory=list)
    mended: int = 0
    """Lines with invalid UTF-8 or lone surrogates that were read all the same."""


def parse(lines: Lines) -> Records:
    """Records of lines; blank lines are none. A last line that was cut gives the reject `truncated after row N`."""
    out = Records(rejects=list(lines.rejects))
    pieces = lines.data.split(b"\n")
    for row, line in enumerate(pieces, lines.first):
        if not line or line.isspace():
            continue
        try:
            record = orjson.loads(line)
        except ValueError:
            record, mended = _mend(line.removeprefix(b"\xef\xbb\xbf"))
            out.mended += mended
        if isinstance(record, dict):
            out.rows.append(row)
            out.records.append(record)
            out.sizes.append(len(line))
        elif isinstance(record, _Bad):
            cut = lines.open_end and row == lines.first + len(pieces) - 1
            out.rejects.append((row, f"truncated after row {row - 1}" if cut else record.reason))
        else:
            out.rejects.append((row, "not a JSON object"))
    return out


@dataclass(frozen=True)
class _Bad:
    reason: str


def _mend(line: bytes) -> tuple[Any, int]:
    """A record that the strict parser refuses: (record or `_Bad`, 1 if bytes were replaced)."""
    text = line.decode("utf-8", BAD_BYTES)
    try:
        # slower and laxer: takes lone surrogates, and NaN, which becomes null
        record = json.loads(text, parse_constant=lambda _: None)
        scrubbed = json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass").decode("utf-8", BAD_BYTES)
        return orjson.loads(scrubbed), int("\ufffd" in scrubbed)
    except RecursionError:
        return _Bad("JSON nested too deep"), 0
    except ValueError as error:
        deep = "recursion" in str(error).lower()
        return _Bad("JSON nested too deep" if deep else "not JSON"), 0
