"""Commitments: that a key, a plan or a log was fixed before it was used, in one append-only, hash-chained file.

Each line holds the hash of what is committed, the time, and the hash of the line before; who changes a line breaks
every later one. The clock is the writer's own: publish the head (a notary, a time-stamping authority) and the times
are proven to others as well.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TextIO

from stillwatch.errors import InputError

Kind = Literal["key", "plan", "log"]
FIRST = "0" * 64


@dataclass(frozen=True)
class Commitment:
    """One line: `name` (a key's id, a plan's name, a log's) was fixed as `hash` at `time`."""

    number: int
    time: str
    kind: Kind
    name: str
    hash: str
    previous: str
    this: str

    @property
    def at(self) -> datetime:
        """Its time."""
        return datetime.fromisoformat(self.time)


def _link(number: int, time: str, kind: str, name: str, hash_: str, previous: str) -> str:
    return hashlib.sha256(json.dumps([number, time, kind, name, hash_, previous]).encode()).hexdigest()


class Commitments:
    """The commitments of one file; every look reads and checks the whole chain."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Commitment]:
        """All lines in order, checked. InputError if the file is missing, unreadable, or the chain is broken."""
        try:
            return list(self._checked(self.path.read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            raise InputError(f"no commitments at {self.path}: nothing was committed") from error
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"commitments {self.path}: {error}") from error

    def append(self, kind: Kind, name: str, hash_: str, *, now: datetime | None = None) -> Commitment:
        """Add one line, flushed to disk before it counts; the same content under the same name is not added again."""
        with self._locked() as handle:
            text = handle.read()
            before = list(self._checked(text))
            if known := find(before, kind, name, hash_):
                return known
            time = (now or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)
            if before and time < before[-1].at:
                raise InputError(f"the clock says {time.isoformat()}, but the last commitment is of {before[-1].time}")
            previous = before[-1].this if before else FIRST
            number, stamp = len(before) + 1, time.isoformat()
            link = _link(number, stamp, kind, name, hash_, previous)
            made = Commitment(number, stamp, kind, name, hash_, previous, link)
            handle.seek(len(_whole(text).encode()))
            handle.truncate()
            handle.write(json.dumps(asdict(made)) + "\n")
            handle.flush()
            os.fsync(handle.fileno())
            return made

    def head(self) -> str:
        """The hash of the last line: publish it."""
        lines = self.read()
        return lines[-1].this if lines else FIRST

    def _checked(self, text: str) -> Iterator[Commitment]:
        previous = FIRST
        for number, line in enumerate(_whole(text).split("\n")[:-1], 1):
            try:
                found = Commitment(**json.loads(line))
                whole = _link(number, found.time, found.kind, found.name, found.hash, previous)
                good = (found.number, found.previous, found.this) == (number, previous, whole) and found.at.tzinfo
            except (ValueError, TypeError) as error:
                raise InputError(f"commitments {self.path}: line {number} is no commitment") from error
            if not good:
                raise InputError(f"commitments {self.path}: the chain is broken at line {number}")
            previous = found.this
            yield found

    @contextmanager
    def _locked(self) -> Iterator[TextIO]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644), "r+", encoding="utf-8")
        except OSError as error:
            raise InputError(f"commitments {self.path}: {error.strerror or error}") from error
        with handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle


def _whole(text: str) -> str:
    """Without a last line that was cut off while it was written: it never counted."""
    return text[: text.rfind("\n") + 1]


def find(lines: list[Commitment], kind: Kind, name: str, hash_: str) -> Commitment | None:
    """The first line that commits to this content under this name."""
    return next((c for c in lines if (c.kind, c.name, c.hash) == (kind, name, hash_)), None)


def required(lines: list[Commitment], kind: Kind, name: str, hash_: str) -> Commitment:
    """`find`, or a refusal that says what is wrong."""
    if found := find(lines, kind, name, hash_):
        return found
    if any((c.kind, c.name) == (kind, name) for c in lines):
        raise InputError(f"refused: the {kind} {name} is not the one that was committed")
    raise InputError(f"refused: the {kind} {name} was never committed")
