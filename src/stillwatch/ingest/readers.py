"""Containers: a file of the log -> chunks of raw rows, in bounded memory, each row with its number in the file.

Rows count from 1: rows of a Parquet file, records after a CSV file's header, lines of a JSON lines file, elements of a
JSON array. A file that ends early gives its rows up to there and one reject for the rest.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import InputError
from stillwatch.ingest import records
from stillwatch.ingest.formats import otel, table
from stillwatch.ingest.sources import Source
from stillwatch.ingest.streams import BAD_BYTES, LIMIT, CutError, Lines, blocks, elements, lines
from stillwatch.model import EVENTS
from stillwatch.settings import IngestSettings

BATCH_ROWS = 16_384
BATCH_BYTES = 16 << 20
Ints = npt.NDArray[np.int64]


class UnreadableError(Exception):
    """Nothing of the file can be read; the text says why."""


@dataclass
class Chunk:
    """Raw rows of one file: lines of JSON, a batch of columns or decoded records, the latter two with `rows`."""

    source: Source
    payload: Lines | pa.RecordBatch | list[dict[str, Any]]
    rows: Ints | None = None
    rejects: list[tuple[int, str]] = field(default_factory=list)
    """Rows that the container itself spoilt; rows in counts them besides those of the payload."""
    bytes: int = 0
    """Bytes of the file that were read for it, for progress."""
    mended: int = 0
    skipped: int = 0
    late: int = 0


def read(
    source: Source, settings: IngestSettings, wanted: set[str] | None = None, groups: range | None = None
) -> Iterator[Chunk]:
    """Chunks of a file in order. `wanted`: the columns to read, where the container can leave others out.

    `groups`: the row groups to read of a Parquet file; None reads all.
    """
    if source.problem:
        raise UnreadableError(source.problem)
    if source.container == "parquet":
        yield from _parquet(source, wanted, groups)
    elif source.container == "csv":
        yield from _csv(source)
    elif source.format == "otel":
        yield from _otel(source, settings)
    else:
        last = 0
        try:
            for part in _json_lines(source):
                last = part.last
                yield Chunk(source, part, bytes=0 if source.compression else len(part.data))
        except CutError as cut:
            yield _rest(source, last, str(cut))


def _rest(source: Source, last: int, why: str) -> Chunk:
    return Chunk(source, [], np.empty(0, np.int64), [(last + 1, f"truncated after row {last}: {why}")])


def _json_lines(source: Source) -> Iterator[Lines]:
    stream = blocks(source.path, source.compression)
    return elements(stream) if source.container == "array" else lines(stream)


def _parquet(source: Source, wanted: set[str] | None, groups: range | None) -> Iterator[Chunk]:
    done = begun = 0
    try:
        with pq.ParquetFile(source.path, buffer_size=1 << 20, pre_buffer=False) as file:
            names = [n for n in file.schema_arrow.names if wanted is None or n in wanted]
            total = max(file.metadata.num_rows, 1)
            groups = range(file.num_row_groups) if groups is None else groups
            done = begun = sum(file.metadata.row_group(group).num_rows for group in range(groups.start))
            for group in groups:
                size = _batch_rows(file.metadata.row_group(group), set(names))
                for batch in file.iter_batches(size, row_groups=[group], columns=names, use_threads=False):
                    rows = np.arange(done + 1, done + 1 + batch.num_rows, dtype=np.int64)
                    done += batch.num_rows
                    yield Chunk(source, batch, rows, bytes=source.bytes * batch.num_rows // total)
    except (OSError, pa.ArrowException) as error:
        if done == begun == 0:
            raise UnreadableError(f"is no whole Parquet file: {_first_line(error)}") from error
        yield _rest(source, done, "Parquet data is damaged")


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:200]


def _batch_rows(group: Any, names: set[str]) -> int:
    """Rows a batch, so that its decoded columns stay near `BATCH_BYTES`."""
    sizes = (group.column(i) for i in range(group.num_columns))
    size = sum(c.total_uncompressed_size for c in sizes if c.path_in_schema.split(".")[0] in names)
    return int(min(BATCH_ROWS, max(16, BATCH_BYTES * group.num_rows // max(size, 1))))


def _csv(source: Source) -> Iterator[Chunk]:
    reader = _CsvReader(source)
    limit = csv.field_size_limit(LIMIT)  # of the process, so put back
    try:
        yield from reader.chunks()
    finally:
        csv.field_size_limit(limit)


class _CsvReader:
    """The standard library's reader: it knows the number of each record, also of broken ones."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.mended = 0
        self.bytes = 0
        self.cut: CutError | None = None
        self.rejects: list[tuple[int, str]] = []
        self.row = 0

    def text(self) -> Iterator[str]:
        """Lines of text with their ends."""
        try:
            for part in lines(blocks(self.source.path, self.source.compression)):
                self.bytes += 0 if self.source.compression else len(part.data)
                self.rejects += [(self.row + 1, reason) for _, reason in part.rejects]
                self.row += len(part.rejects)
                data = part.data.removeprefix(b"\xef\xbb\xbf") if part.first == 1 else part.data
                yield from io.StringIO(self._decode(data), newline="")
        except CutError as cut:
            self.cut = cut

    def _decode(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            text = data.decode("utf-8", BAD_BYTES)
            self.mended += sum("\ufffd" in line for line in text.split("\n"))
            return text

    def chunks(self) -> Iterator[Chunk]:
        stream = self.text()
        first = next(stream, "")
        if not first:
            if self.cut:
                raise UnreadableError(str(self.cut))
            return
        delimiter = max(",;\t|", key=first.count)
        header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter))]
        body = csv.reader(stream, delimiter=delimiter)
        while (batch := self._batch(body, len(header))) is not None:
            numbers, values = batch
            columns = [pa.array(column, pa.string()) for column in zip(*values, strict=True)]
            if not values:
                columns = [pa.array([], pa.string()) for _ in header]
            yield self._chunk(pa.RecordBatch.from_arrays(columns, names=header), np.array(numbers, dtype=np.int64))
        if self.cut is not None:
            yield _rest(self.source, self.row, str(self.cut))

    def _chunk(self, batch: pa.RecordBatch, rows: Ints) -> Chunk:
        out = Chunk(self.source, batch, rows, self.rejects, self.bytes, self.mended)
        self.rejects, self.bytes, self.mended = [], 0, 0
        return out

    def _batch(self, body: Any, width: int) -> tuple[list[int], list[list[str]]] | None:
        """(row numbers, values) of the next records; None at the end."""
        numbers: list[int] = []
        values: list[list[str]] = []
        size = 0
        while len(values) < BATCH_ROWS and size < BATCH_BYTES and len(self.rejects) < BATCH_ROWS:
            try:
                record = next(body, None)
            except csv.Error:
                self._reject("a field is longer than 64 MiB: is a quote left open?")
                continue
            if record is None:
                return (numbers, values) if values or self.rejects else None
            if not record:
                continue
            if len(record) != width:
                self._reject("wrong number of fields")
                continue
            self.row += 1
            numbers.append(self.row)
            values.append(record)
            size += sum(map(len, record))
        return numbers, values

    def _reject(self, reason: str) -> None:
        self.row += 1
        self.rejects.append((self.row, reason))


def _otel(source: Source, settings: IngestSettings) -> Iterator[Chunk]:
    joiner = otel.Joiner(settings)
    last = 0

    def chunk(part: records.Records, end: bool, size: int = 0) -> Chunk:
        ready = list(joiner.ready(end=end))
        out = Chunk(
            source, [raw for _, raw in ready], np.array([row for row, _ in ready], dtype=np.int64), part.rejects
        )
        out.bytes, out.mended = size, part.mended
        out.skipped, out.late = joiner.skipped, joiner.late
        joiner.skipped = joiner.late = 0
        return out

    try:
        for part in _json_lines(source):
            last = part.last
            read = records.parse(part)
            for row, record, size in zip(read.rows, read.records, read.sizes, strict=True):
                joiner.add(row, record, size)
            yield chunk(read, False, 0 if source.compression else len(part.data))
    except CutError as cut:
        yield _rest(source, last, str(cut))
    yield chunk(records.Records(), True)


def check_columns(source: Source, settings: IngestSettings) -> list[str]:
    """The names of a canonical table's columns; InputError if a required one is not among them.

    For JSON lines the first rows speak for all: one of them must have the key.
    """
    names = _names(source)
    mapping = settings.columns
    if not names:
        return []
    for name in table.REQUIRED:
        wanted = mapping.get(name, name)
        if wanted not in names and wanted.split(".")[0] not in names and name not in source.constants:
            there = ", ".join(sorted(names)[:40])
            raise InputError(
                f"{source.path}: the required column {name} is missing"
                + (f" (mapped to {wanted})" if wanted != name else "")
                + f"; there are: {there}. Is it another format (--format)? For --format table, map columns in the"
                f' settings: [ingest.columns] {name} = "the log\'s column"'
            )
    return sorted(names)


def _names(source: Source) -> set[str]:
    if source.problem:
        return set()
    if source.container == "parquet":
        try:
            return set(pq.read_schema(source.path).names)
        except (OSError, pa.ArrowException):
            return set()
    names: set[str] = set()
    try:
        if source.container == "csv":
            first = next(_csv(source), None)
            return set(first.payload.schema.names) if first and isinstance(first.payload, pa.RecordBatch) else set()
        first_lines = next(_json_lines(source), None)
        if first_lines is not None:
            for record in islice(records.parse(first_lines).records, 1000):
                names.update(record)
    except (CutError, UnreadableError):
        pass
    return names


def wanted_columns(settings: IngestSettings, used: set[str]) -> set[str]:
    """Columns of a canonical table that are read: those of the events that are `used`, under the log's names."""
    return {settings.columns.get(name, name) for name in EVENTS.names if name in used}


def unknown_columns(names: list[str], settings: IngestSettings) -> list[str]:
    """Columns that mean nothing here."""
    known = set(EVENTS.names) | {path.split(".")[0] for path in settings.columns.values()}
    return [name for name in names if name not in known]


def renamed(batch: pa.RecordBatch, settings: IngestSettings, constants: Mapping[str, str]) -> dict[str, Any]:
    """Columns of a canonical batch under their canonical names; folders' `key=value` fill in what is not there."""
    names = batch.schema.names
    out: dict[str, Any] = {}
    for name in EVENTS.names:
        found = settings.columns.get(name, name)
        if found in names:
            out[name] = batch.column(names.index(found))
        elif name in constants:
            out[name] = [constants[name]] * batch.num_rows
    return out
