"""A corpus -> batches of texts: JSON lines, JSON arrays, Parquet and CSV, also compressed, in bounded memory.

Of a conversation the answers are read, of a row of instructions its output: what a model would be trained to say. Rows
are numbered as in `docs/formats.md`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import InputError
from stillwatch.forensics.data import quick
from stillwatch.hashing import buffers
from stillwatch.ingest import columns, records
from stillwatch.ingest.readers import Chunk, UnreadableError, read
from stillwatch.ingest.report import group
from stillwatch.ingest.sources import Source, find_files, open_source
from stillwatch.ingest.streams import Lines
from stillwatch.ingest.text.extract import utf8
from stillwatch.ingest.text.messages import answer, answered, plain
from stillwatch.settings import IngestSettings

Ints = npt.NDArray[np.int64]
RESPONSE = "response"
"""Column of an answer beside which `messages` are what was asked, as in a log: it goes first."""
TALKS = ("conversations", "conversation", "messages")
"""Columns that hold a conversation: ShareGPT's and chat's."""
ANSWERS = (
    "output", "completion", "answer", "chosen", "rejected", "generated_text", "generation", "text",
    "content",
)  # fmt: skip
"""Columns that hold what a model says, in the order in which they are looked for; Alpaca's is `output`. `chosen` and
`rejected` are read together."""
LOOKED_FOR = (RESPONSE, *TALKS, *ANSWERS)
_TOGETHER = ("chosen", "rejected")
ASKERS = {"user", "human", "system", "developer", "tool", "function", "observation", "function_response", "prompter"}
"""Roles whose turns are no answers."""
_JSON = np.zeros(256, np.bool_)
_JSON[[ord("["), ord("{"), ord('"')]] = True
_SETTINGS = IngestSettings()
REJECTS = 10_000
"""Rows that are named when they cannot be used; all are counted."""


@dataclass
class Texts:
    """Texts of a stretch of one file. data, offsets [n + 1]: UTF-8; row [n]: row in the file; part [n]: place among the
    row's texts; also: other columns asked for, [n] each."""

    source: int
    data: npt.NDArray[np.uint8]
    offsets: Ints
    row: Ints
    part: Ints
    also: dict[str, list[Any]] = field(default_factory=dict)
    bytes: int = 0
    """Bytes of the file that were read for it, for progress."""


@dataclass
class Corpus:
    """Files to read, and what was read so far."""

    sources: list[Source]
    column: str | None = None
    also: tuple[str, ...] = ()
    rows: int = 0
    texts: int = 0
    cut: int = 0
    """Texts longer than is read."""
    read_as: dict[str, list[str]] = field(default_factory=dict)
    """File -> the columns whose text was read."""
    rejected: Counter[str] = field(default_factory=Counter)
    rejects: list[tuple[str, int, str]] = field(default_factory=list)
    """(file, row, reason), the first `REJECTS`."""

    def batches(self) -> Iterator[Texts]:
        """All texts, in order. InputError if a file has no column of text, or the only file cannot be read."""
        for place, source in enumerate(self.sources):
            try:
                yield from self._file(place, source)
            except (UnreadableError, OSError) as error:
                why = str(error.strerror or error) if isinstance(error, OSError) else str(error)
                if len(self.sources) == 1:
                    raise InputError(f"{source.path}: {why}") from error
                self._reject(source, [(0, why)])
        if not self.texts:
            raise InputError(self._nothing())

    def _file(self, place: int, source: Source) -> Iterator[Texts]:
        chosen = _of_parquet(source, self.column) if source.container == "parquet" else None
        wanted = None if chosen is None else {*chosen, *self.also}
        for chunk in read(source, _SETTINGS, wanted):
            if chosen is None and (names := _first_names(chunk)):
                chosen = _choose(source, names, self.column)
            found = _quickly(place, chunk, chosen) if chosen and not self.also else None
            if found is None:
                rows, table, rejects = _table(chunk)
                self._reject(source, rejects)
                if not len(rows):
                    continue
                if chosen is None:
                    chosen = _choose(source, table.names(), self.column)
                found = len(rows), *_texts(place, rows, table, chosen, self.also)
            count, texts, empty = found
            self.read_as[str(source.path)] = list(chosen or ())
            self.rows += count
            self._reject(source, [(int(row), "no text") for row in empty])
            self.cut += _shorten(texts)
            self.texts += len(texts.row)
            if len(texts.row):
                texts.bytes = chunk.bytes
                yield texts

    def _reject(self, source: Source, rejects: Sequence[tuple[int, str]]) -> None:
        for row, reason in rejects:
            self.rejected[group(reason)] += 1
            if len(self.rejects) < REJECTS:
                self.rejects.append((str(source.path), row, reason))

    def _nothing(self) -> str:
        paths = ", ".join(str(source.path) for source in self.sources[:3])
        reasons = ", ".join(f"{reason}: {n:,}" for reason, n in self.rejected.most_common(3))
        return f"{paths}: no text to trace" + (f" ({reasons})" if reasons else "")


def open_corpus(paths: Sequence[str | Path], column: str | None = None, also: tuple[str, ...] = ()) -> Corpus:
    """Look at the files, folders or globs of a corpus; InputError if there is nothing to read."""
    found, _ = find_files(paths)
    return Corpus([open_source(k, path, root, "table") for k, (path, root) in enumerate(found)], column, also)


def _of_parquet(source: Source, column: str | None) -> list[str] | None:
    """Columns to read of a Parquet file; None if its schema cannot be read, which the reader will say."""
    if source.problem:
        return None
    try:
        return _choose(source, set(pq.read_schema(source.path).names), column)
    except (OSError, pa.ArrowException):
        return None


def _choose(source: Source, names: set[str], column: str | None) -> list[str]:
    """The columns whose text is read; InputError if there is none."""
    there = ", ".join(sorted(names)[:40])
    if column is not None:
        if column not in names:
            raise InputError(f"{source.path}: there is no column {column}; there are: {there}")
        return [column]
    for name in LOOKED_FOR:
        if name in names:
            return [one for one in _TOGETHER if one in names] if name in _TOGETHER else [name]
    raise InputError(
        f"{source.path}: no column of text among {there} (looked for {', '.join(LOOKED_FOR)}): name it with --column"
    )


def _first_names(chunk: Chunk) -> set[str]:
    """Keys of the first thousand lines, where the chunk is one of lines."""
    if not isinstance(chunk.payload, Lines):
        return set()
    head = b"\n".join(chunk.payload.data.split(b"\n", 1000)[:1000])
    return _Rows(None, records.parse(Lines(1, head)).records).names()


def _quickly(place: int, chunk: Chunk, chosen: Sequence[str]) -> tuple[int, Texts, Ints] | None:
    """(rows, texts, rows without text) of lines of one column in the usual shape; None of all others."""
    lines = chunk.payload
    if not isinstance(lines, Lines) or len(chosen) != 1:
        return None
    if chosen[0] not in TALKS:
        column = quick.strings(lines, chosen[0])
        if column is None:
            return None
        batch = pa.RecordBatch.from_arrays([column], [chosen[0]])
        rows = np.arange(lines.first, lines.first + len(column))
        return len(rows), *_texts(place, rows, _Rows(batch, []), chosen, ())
    if (answers := quick.turns(lines, chosen[0], ASKERS)) is None:
        return None
    count, said, where = answers
    data, offsets = buffers(said)
    per_row = np.bincount(where, minlength=count)
    part = np.arange(len(where)) - np.repeat(np.cumsum(per_row) - per_row, per_row)
    texts = Texts(place, data, offsets.copy(), where + lines.first, part.astype(np.int64))
    return count, texts, np.flatnonzero(per_row == 0) + lines.first


def _table(chunk: Chunk) -> tuple[Ints, _Rows, list[tuple[int, str]]]:
    """Rows of a chunk, their columns, and what could not be read."""
    if isinstance(chunk.payload, pa.RecordBatch):
        assert chunk.rows is not None
        return chunk.rows, _Rows(chunk.payload, []), chunk.rejects
    if isinstance(chunk.payload, Lines):
        part = _whole(chunk.payload) or records.parse(chunk.payload)
        return np.array(part.rows, np.int64), _Rows(None, part.records), chunk.rejects + part.rejects
    return np.empty(0, np.int64), _Rows(None, []), chunk.rejects


def _whole(lines: Lines) -> records.Records | None:
    """Records of lines that are all objects, which is usual and quicker; None where one is not."""
    pieces = lines.data.split(b"\n")
    if not pieces[-1]:
        pieces.pop()
    try:
        found = [orjson.loads(piece) for piece in pieces]
    except ValueError:
        return None
    if lines.rejects or any(type(record) is not dict for record in found):
        return None
    return records.Records(list(range(lines.first, lines.first + len(found))), found)


@dataclass(frozen=True)
class _Rows:
    """Rows as a batch of columns or as JSON records."""

    batch: pa.RecordBatch | None
    records: list[dict[str, Any]]

    def names(self) -> set[str]:
        """Columns; of records the keys of the first thousand."""
        if self.batch is not None:
            return set(self.batch.schema.names)
        return {name for record in islice(self.records, 1000) for name in record}

    def strings(self, name: str) -> pa.Array | None:
        """A column, if it is one of strings."""
        if self.batch is None or name not in self.batch.schema.names:
            return None
        column = self.batch.column(name)
        return columns.valid_text(column) if pa.types.is_string(column.type) else None

    def values(self, name: str) -> list[Any]:
        """A column as Python values; None where it is not there."""
        if self.batch is None:
            return [record.get(name) for record in self.records]
        if name not in self.batch.schema.names:
            return [None] * self.batch.num_rows
        return columns.pylist(self.batch.column(name))


def _texts(place: int, rows: Ints, table: _Rows, chosen: Sequence[str], also: Sequence[str]) -> tuple[Texts, Ints]:
    """Texts of some rows, and the rows without any."""
    column = table.strings(chosen[0]) if len(chosen) == 1 and chosen[0] not in TALKS else None
    if column is not None:
        data, offsets, where = _strings(column)
        part = np.zeros(len(where), np.int64)
    elif (plain_texts := _plain_texts(table, chosen)) is not None:
        (data, offsets), where = plain_texts, np.arange(len(rows))
        part = np.zeros(len(where), np.int64)
    else:
        said = _said([table.values(name) for name in chosen], talks=chosen[0] in TALKS)
        counts = np.array([len(texts) for texts in said], np.int64)
        where = np.repeat(np.arange(len(rows)), counts)
        part = np.arange(len(where)) - np.repeat(np.cumsum(counts) - counts, counts)
        data, offsets = buffers(utf8([text for texts in said for text in texts]))
        offsets = offsets.copy()
    values = {name: table.values(name) for name in also}
    more = {name: [known[k] for k in where.tolist()] for name, known in values.items()}
    empty = np.ones(len(rows), np.bool_)
    empty[where] = False
    return Texts(place, data, offsets, rows[where], part.astype(np.int64), more), rows[empty]


def _plain_texts(table: _Rows, chosen: Sequence[str]) -> tuple[npt.NDArray[np.uint8], Ints] | None:
    """(data, offsets) of records whose one column is plain text in every row, which is usual and quicker."""
    if len(chosen) != 1 or chosen[0] in TALKS:
        return None
    values = table.values(chosen[0])
    if not all(type(value) is str and value and value[0] not in '[{"' for value in values):
        return None
    data, offsets = buffers(utf8(values))
    return data, offsets.copy()


def _strings(column: pa.Array) -> tuple[npt.NDArray[np.uint8], Ints, Ints]:
    """(data, offsets, places) of the texts in a column of strings; JSON of messages is read, other text taken as is."""
    data, offsets = buffers(column.fill_null(""))
    sizes = np.diff(offsets)
    where = np.flatnonzero(sizes > 0)
    if len(where) and _JSON[data[offsets[where]]].any():
        texts = [answered(text) for text in column.take(pa.array(where)).to_pylist()]
        where, texts = where[[bool(text) for text in texts]], [text for text in texts if text]
        data, offsets = buffers(utf8(list(texts)))
        return data, offsets.copy(), where
    # texts of no bytes take no room, so the others' places are their own
    return data, np.append(offsets[where], offsets[-1]), where


def _said(given: Sequence[list[Any]], talks: bool) -> list[list[str]]:
    """The texts of each row."""
    if len(given) == 1 and not talks:  # the usual case, and the one that has to be quick
        return [
            [value] if type(value) is str and value and value[0] not in '[{"' else _answers(value) for value in given[0]
        ]
    read = _talk if talks else _answers
    return [[text for value in row for text in read(value)] for row in zip(*given, strict=True)]


def _answers(value: Any) -> list[str]:
    """Texts of a value that is an answer: text, JSON of messages, a message, a list of either."""
    if isinstance(value, list) and any(isinstance(one, dict) and ("role" in one or "from" in one) for one in value):
        return _talk(value)
    text = answered(value) if isinstance(value, str) else answer(value) or plain(value)
    return [text] if text else []


def _talk(value: Any) -> list[str]:
    """The answers of a conversation."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except ValueError:
            return [value] if value else []
    out = []
    for turn in value if isinstance(value, list) else [value]:
        role = None
        if isinstance(turn, dict) and (role := turn.get("role")) is None:
            role = turn.get("from")
        if isinstance(turn, dict) and not (isinstance(role, str) and role.strip().lower() in ASKERS):
            said = turn.get("value")
            text = said if type(said) is str and said else plain(said) or plain(turn)
            if text:
                out.append(text)
    return out


def _shorten(texts: Texts) -> int:
    """Cut texts at the length that is read of answers, by moving where the next begins; how many."""
    sizes, most = np.diff(texts.offsets), _SETTINGS.max_text_bytes
    long = np.flatnonzero(sizes > most)
    if not len(long):
        return 0
    keep = np.ones(texts.offsets[-1] - texts.offsets[0], np.bool_)
    first = texts.offsets[0]
    for k in long.tolist():
        keep[texts.offsets[k] + most - first : texts.offsets[k + 1] - first] = False
    data = texts.data[first : texts.offsets[-1]][keep]
    data.flags.writeable = False
    texts.data, texts.offsets = data, np.concatenate([[0], np.cumsum(np.minimum(sizes, most))]).astype(np.int64)
    return len(long)
