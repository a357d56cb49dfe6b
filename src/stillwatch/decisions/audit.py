"""An append-only log whose entries hold the hash of the entry before: what was changed afterwards does not fit.

An entry is a line of JSON, kept to the byte as it was hashed: hash = SHA-256(hash of the entry before, newline, body).
The body has its own number, so that the order cannot change either.

What the chain alone shows: that no entry was edited, removed from the middle, put in, or moved. What it cannot show:
that entries are missing at the end, or that somebody with write access made all of it anew, since no secret is in it.
For that a **head** (number and hash of some entry) has to be kept where the writer of the log cannot reach: everything
up to that entry is then as it was.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from stillwatch.errors import InputError, UsageError

GENESIS = "0" * 64
FORMAT = 1
DATABASE, ANCHOR = "casebook.sqlite", "head"
_HEAD = re.compile(r"([1-9][0-9]{0,17}):([0-9a-f]{64})")


@dataclass(frozen=True)
class Head:
    """Number and hash of an entry, to be kept apart from the log."""

    seq: int
    hash: str

    @classmethod
    def parse(cls, text: str) -> Head:
        """From `17:9f86…`; ValueError on anything else."""
        found = _HEAD.fullmatch(text.strip())
        if found is None:
            raise ValueError("a head is a number, a colon and 64 hexadecimal digits")
        return cls(int(found[1]), found[2])

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


@dataclass(frozen=True)
class Entry:
    """One line of the log. `body` is JSON: seq, at, by, kind, data."""

    prev: str
    body: str
    hash: str

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The body, parsed; ValueError if it is not an entry."""
        read = json.loads(self.body)
        if not isinstance(read, dict) or not isinstance(read.get("data"), dict) or not _typed(read):
            raise ValueError("not an entry")
        return read

    @property
    def seq(self) -> int:
        """From 1."""
        return int(self.fields["seq"])

    @property
    def at(self) -> datetime:
        """When, UTC, by the clock of whoever wrote."""
        return datetime.fromisoformat(self.fields["at"])

    @property
    def by(self) -> str:
        """Who; `stillwatch` for what happens by itself."""
        return str(self.fields["by"])

    @property
    def kind(self) -> str:
        """What was done."""
        return str(self.fields["kind"])

    @property
    def data(self) -> dict[str, Any]:
        """To whom, and why."""
        return dict(self.fields["data"])

    @property
    def head(self) -> Head:
        """To be kept apart."""
        return Head(self.seq, self.hash)


def _typed(read: dict[str, Any]) -> bool:
    return isinstance(read.get("seq"), int) and all(isinstance(read.get(name), str) for name in ("at", "by", "kind"))


def chain(prev: str, body: str) -> str:
    """Hash of an entry whose predecessor has the hash `prev`."""
    return hashlib.sha256(f"{prev}\n{body}".encode("utf-8", "surrogatepass")).hexdigest()


def make(head: Head | None, at: datetime, by: str, kind: str, data: dict[str, Any]) -> Entry:
    """The entry after `head`; ValueError if a value cannot be written as UTF-8."""
    prev, seq = (head.hash, head.seq + 1) if head else (GENESIS, 1)
    written = {"seq": seq, "at": at.astimezone(UTC).isoformat(), "by": by, "kind": kind, "data": data}
    # ASCII with escapes: a body survives every encoding, and no lone surrogate can stop a write
    body = json.dumps(written, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Entry(prev, body, chain(prev, body))


@dataclass(frozen=True)
class Verification:
    """What a check of a log found."""

    entries: int
    head: Head | None
    problems: tuple[str, ...]
    anchors: tuple[Head, ...] = field(default=())
    """Heads that the log was held against."""

    @property
    def sound(self) -> bool:
        """Nothing was found."""
        return not self.problems

    @property
    def covered(self) -> int:
        """Entries that are proven to be as they were, by the newest head that is in the log; the rest is only whole in
        itself."""
        return max((anchor.seq for anchor in self.anchors), default=0) if self.sound else 0


def verify(entries: Iterable[Entry], anchors: Sequence[Head] = ()) -> Verification:
    """Follow the chain and hold it against heads kept apart; every problem is named by the place of its entry."""
    problems: list[str] = []
    wanted = {anchor.seq: anchor.hash for anchor in anchors}
    if len(wanted) < len(set(anchors)):
        problems.append("two heads of one number differ: one of them is of another log")
    prev, seq, place, last = GENESIS, 0, 0, None
    for place, entry in enumerate(entries, 1):
        try:
            found = entry.seq
            entry.at  # noqa: B018
        except (ValueError, RecursionError):
            problems.append(f"entry {place}: not an entry")
            found = seq + 1
        if found != seq + 1:
            problems.append(f"entry {place}: has number {found} where {seq + 1} should be: removed, put in or moved")
        if entry.prev != prev:
            problems.append(f"entry {place}: does not follow the entry before it")
        if chain(entry.prev, entry.body) != entry.hash:
            problems.append(f"entry {place}: was edited: its hash is not that of its words")
        if found in wanted and wanted.pop(found) != entry.hash:
            problems.append(f"entry {place}: is not the one of the head kept apart: the log was written anew")
        prev, seq, last = entry.hash, found, entry
    for missing in sorted(wanted):
        problems.append(f"entry {missing} is missing, of which a head was kept apart: the end was cut off")
    head = Head(seq, last.hash) if last is not None else None
    return Verification(place, head, tuple(problems), tuple(anchors))


def read_log(path: Path) -> list[Entry]:
    """Entries of a casebook (its folder or database) or of an export; InputError if that cannot be read."""
    file = path / DATABASE if path.is_dir() else path
    try:
        with file.open("rb") as handle:
            sqlite = handle.read(16) == b"SQLite format 3\0"
        return _from_database(file) if sqlite else list(_from_lines(file))
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from error


def _from_database(file: Path) -> list[Entry]:
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as connection:
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            rows = connection.execute("select prev, body, hash from entries order by seq").fetchall()
    except sqlite3.Error as error:
        raise InputError(f"{file}: cannot be read as a casebook: {error}") from error
    return [Entry(*(str(value) for value in row)) for row in rows]


def _from_lines(file: Path) -> Iterator[Entry]:
    with file.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            try:
                read = json.loads(line)
                yield Entry(*(str(read[name]) for name in ("prev", "body", "hash")))
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise InputError(f"{file}: line {number} is not an entry of an audit log") from error


def write_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """The log as JSON lines, for keeping and for checking elsewhere."""
    for entry in entries:
        yield json.dumps({"prev": entry.prev, "body": entry.body, "hash": entry.hash}) + "\n"


def read_anchor(path: Path) -> Head | None:
    """The head in a file; None if there is no such file, InputError if it holds none."""
    try:
        return Head.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: no head of an audit log: {error}") from error


def check(path: Path, heads: Sequence[str] = ()) -> Verification:
    """Verify the log at `path` against heads kept apart, written out or in files, and against the one in a casebook.

    InputError for what is no log, UsageError for what is no head.
    """
    anchors = [_given(head) for head in heads]
    beside = (path if path.is_dir() else path.parent) / ANCHOR
    kept = read_anchor(beside) if path.is_dir() or path.name == DATABASE else None
    # the one beside the log finds a lost end; it proves nothing against somebody who can write there
    found = verify(read_log(path), [*anchors, *([kept] if kept else [])])
    return Verification(found.entries, found.head, found.problems, tuple(anchors))


def _given(head: str) -> Head:
    try:
        return Head.parse(head)
    except ValueError as error:
        if (path := Path(head)).is_file() and (read := read_anchor(path)) is not None:
            return read
        raise UsageError(f"--head {head[:80]!r}: {error}, and no file of that name") from error
