"""Bytes of a log file: decompressed in a stream, cut into lines or array elements of bounded size.

Nothing here trusts the file: a stream that ends early gives what came before and then `CutError`; a line beyond
`LIMIT` is dropped while it streams past, so neither a missing newline nor a decompression bomb can fill memory.
"""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

BLOCK = 1 << 20
CHUNK = 4 << 20
"""Bytes of lines handed on at a time."""
LIMIT = 64 << 20
"""Bytes of the longest line, array element or CSV field that is read."""
BAD_BYTES = "stillwatch.bad-bytes"
"""Codec error handler: a byte that is not UTF-8 becomes U+FFFD and its hex digits, so different ids stay different."""


def _bad_bytes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(f"\ufffd{byte:02x}" for byte in error.object[error.start : error.end]), error.end


codecs.register_error(BAD_BYTES, _bad_bytes)


class CutError(Exception):
    """The stream ended before its end, or what follows cannot be decoded; the text says which."""


@dataclass
class Lines:
    """Whole records as lines of bytes; the first is row `first` (1-based) of its file."""

    first: int
    data: bytes
    rejects: list[tuple[int, str]] = field(default_factory=list)
    open_end: bool = False
    """The last line has no newline: if it does not parse either, the file was cut there."""

    @cached_property
    def newlines(self) -> int:
        """Newlines in `data`, counted once."""
        return newlines(self.data)

    @property
    def last(self) -> int:
        """Row of the last line that ends."""
        return self.first + self.newlines - (0 if self.open_end else 1)


def newlines(data: bytes) -> int:
    """How many there are; a quarter of the time that `bytes.count` takes."""
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord("\n")))


def blocks(path: Path, compression: str | None) -> Iterator[bytes]:
    """The file's bytes, decompressed; `CutError` after the last byte that could be had, OSError if unreadable."""
    if compression == "zstd":
        yield from _zstd(path)
        return
    with path.open("rb") as handle:
        if compression == "gzip":
            yield from _gzip(handle)
        else:
            while block := handle.read(BLOCK):
                yield block


def _gzip(handle: IO[bytes]) -> Iterator[bytes]:
    stream = None
    while raw := handle.read(1 << 16):
        while raw:
            stream = stream or zlib.decompressobj(31)
            try:
                out = stream.decompress(raw, BLOCK)
            except zlib.error as error:
                raise CutError("gzip data is damaged") from error
            if out:
                yield out
            if stream.eof:  # another member may follow; zero bytes are padding
                raw, stream = stream.unused_data.lstrip(b"\0"), None
            else:
                raw = stream.unconsumed_tail
    if stream is not None:
        raise CutError("gzip data ends early")


def _zstd(path: Path) -> Iterator[bytes]:
    """Arrow drops the block in which it meets a cut, so read again from there in smaller and smaller steps."""
    done, step = 0, BLOCK
    while True:
        with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as stream:
            skip = done
            try:
                while skip:
                    skip -= len(stream.read(min(skip, step)))
                while block := stream.read(step):
                    done += len(block)
                    yield block
                return
            except (OSError, pa.ArrowException) as error:
                if step == 1:
                    raise CutError("zstd data ends early or is damaged") from error
                step = max(1, step >> 10)


def lines(stream: Iterator[bytes]) -> Iterator[Lines]:
    """Lines in chunks of about `CHUNK` bytes; a line beyond `LIMIT` is a reject. `CutError` after the last chunk."""
    splitter = _Splitter()
    try:
        for block in stream:
            yield from splitter.feed(block)
    except CutError:
        yield from splitter.finish(cut=True)
        raise
    yield from splitter.finish()


class _Splitter:
    def __init__(self) -> None:
        self.row = 1
        self.parts: list[bytes] = []
        self.size = 0
        self.skipping = False  # inside a line that is too long
        self.tail: list[bytes] = []
        self.tail_size = 0
        self.rejects: list[tuple[int, str]] = []
        self.rows = 0

    def feed(self, block: bytes) -> Iterator[Lines]:
        if self.skipping:
            end = block.find(b"\n")
            if end < 0:
                return
            block, self.skipping = block[end + 1 :], False
            self._flush_rejected_line()
        end = block.rfind(b"\n")
        if end >= 0:
            self._add([*self.tail, block[: end + 1]])
            self.tail, self.tail_size = [], 0
            block = block[end + 1 :]
        if block:
            self.tail.append(block)
            self.tail_size += len(block)
        if self.tail_size > LIMIT:
            self.tail, self.tail_size, self.skipping = [], 0, True
        if self.size >= CHUNK or (self.skipping and self.parts):
            yield self._take()

    def _add(self, pieces: list[bytes]) -> None:
        self.parts += pieces
        self.size += sum(map(len, pieces))
        self.rows += newlines(pieces[-1])  # the others are pieces of one line

    def _flush_rejected_line(self) -> None:
        # an empty line stands for the one that was dropped, so later rows keep their numbers
        self.rejects.append((self.row + self.rows, "longer than 64 MiB"))
        self._add([b"\n"])

    def _take(self, open_end: bool = False) -> Lines:
        out = Lines(self.row, b"".join(self.parts), self.rejects, open_end)
        out.newlines = self.rows
        self.row += self.rows
        self.parts, self.size, self.rows, self.rejects = [], 0, 0, []
        return out

    def finish(self, *, cut: bool = False) -> Iterator[Lines]:
        if self.skipping:
            self._flush_rejected_line()
        open_end = bool(self.tail_size) and not cut  # half a line is part of what was lost
        if open_end:
            self.parts.append(b"".join(self.tail))
        if self.parts:
            yield self._take(open_end)


_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{}]|"', re.DOTALL)


def elements(stream: Iterator[bytes]) -> Iterator[Lines]:
    """Elements of a JSON array, or a lone or several objects, as lines; row = position. `CutError` if it ends early.

    Only strings and brackets are looked at: a broken or very deep element is passed on and fails alone.
    """
    scan = _Elements()
    try:
        for block in stream:
            yield from scan.feed(block)
    except CutError:
        yield from scan.take()
        raise
    yield from scan.finish()
    if scan.open:
        raise CutError("the array or object is not closed")


class _Elements:
    def __init__(self) -> None:
        self.buffer = b""
        self.at = 0  # scanned up to here
        self.start = -1  # where the element being scanned begins
        self.depth = 0
        self.base: int | None = None  # depth of an element: 1 in an array, 0 outside one
        self.row = 1
        self.out: list[bytes] = []
        self.size = 0
        self.retry = 0  # an unclosed string is looked at again only once the buffer has grown to this

    @property
    def open(self) -> bool:
        return self.depth > 0 or self.start >= 0 or self.retry > 0

    def feed(self, block: bytes) -> Iterator[Lines]:
        self.buffer += block
        if len(self.buffer) > LIMIT + CHUNK:
            raise CutError("longer than 64 MiB")
        if len(self.buffer) < self.retry:
            return
        self._scan()
        keep = self.start if self.start >= 0 else self.at
        self.buffer, self.at = self.buffer[keep:], self.at - keep
        self.start = 0 if self.start >= 0 else -1
        if self.size >= CHUNK:
            yield from self.take()

    def _scan(self) -> None:
        self.retry = 0
        for token in _TOKEN.finditer(self.buffer, self.at):
            kind = token.group()[:1]
            if self.start < 0:
                self._loose(self.buffer[self.at : token.start()])
            if kind == b'"':
                if token.end() - token.start() == 1:  # the string goes on in the next block
                    self.at, self.retry = token.start(), 2 * (len(self.buffer) - token.start())
                    return
                if self.start < 0:
                    self._emit(token.group())
            elif kind in b"[{":
                self._opened(kind, token.start())
            elif self.depth:
                self.depth -= 1
                if self.depth == self.base and self.start >= 0:
                    self._emit(self.buffer[self.start : token.end()])
            self.at = token.end()
        if self.start >= 0:
            self.at = len(self.buffer)
        else:  # a number may go on in the next block
            end = self.at + self.buffer[self.at :].rfind(b",") + 1
            self._loose(self.buffer[self.at : end])
            self.at = end

    def _opened(self, kind: bytes, where: int) -> None:
        if self.base is None:
            self.base = 1 if kind == b"[" else 0
        if self.depth == self.base and self.start < 0:
            self.start = where
        self.depth += 1

    def _loose(self, between: bytes) -> None:
        """Values outside brackets and strings, such as numbers, are elements too: they are rejected later, not lost."""
        for piece in between.split(b","):
            if piece.strip():
                self._emit(piece.strip())

    def _emit(self, element: bytes) -> None:
        # raw newlines cannot stand inside a JSON string, so one element fits one line
        line = element.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n"
        self.out.append(line)
        self.size += len(line)
        self.start = -1

    def finish(self) -> Iterator[Lines]:
        """The last elements."""
        self._scan()
        if self.start < 0 and not self.depth and not self.retry:
            self._loose(self.buffer[self.at :])
        yield from self.take()

    def take(self) -> Iterator[Lines]:
        """What is complete so far."""
        if self.out:
            done = Lines(self.row, b"".join(self.out))
            self.row += len(self.out)
            self.out, self.size = [], 0
            yield done
