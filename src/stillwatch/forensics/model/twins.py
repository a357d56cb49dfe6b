"""Randomised twins, the serving side: which requests get two answers, and which of the two is served.

For a keyed share of requests two equally good answers are made; a keyed coin says which one is served, the other never
leaves. A model that learned from the harvest prefers the served twins; any other cannot know them. The log holds both
answers in the order in which they were made and not the coin, so it can be handed to an expert who stays blind.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from stillwatch.errors import InputError, UsageError
from stillwatch.forensics.model.commitments import FIRST, Commitment
from stillwatch.forensics.model.keys import Key
from stillwatch.forensics.model.prf import coin, fraction


@dataclass(frozen=True)
class TwinServer:
    """What a serving stack asks for each request. `share`: of requests that get twins, in (0, 1]."""

    key: Key
    share: float

    def __post_init__(self) -> None:
        self.key.serving()
        if not 0 < self.share <= 1:
            raise UsageError(f"a share of requests is in (0, 1], not {self.share}")

    def chosen(self, request_id: str) -> bool:
        """Does this request get twins? Depends on nothing but key and id."""
        return fraction(self.key.serving(), "twin choice", request_id) < self.share

    def serve(self, request_id: str) -> int:
        """Which of the two answers to serve, 0 or 1, in the order in which they were made."""
        return served(self.key.serving(), request_id)


def served(secret: bytes, request_id: str) -> int:
    """The keyed coin of a request."""
    return coin(secret, "twin coin", request_id)


@dataclass(frozen=True)
class TwinRow:
    """A request that got twins, as the log holds it."""

    number: int
    time: str
    request_id: str
    key: str
    prompt: str
    answers: Sequence[str]
    previous: str
    digest: str


def _digest(row: tuple[object, ...]) -> str:
    return hashlib.sha256(json.dumps(row).encode("utf-8", "surrogatepass")).hexdigest()


class TwinLog:
    """Twins as they are served, one JSON line each, hash-chained; it holds text, so it is its owner's alone to read."""

    def __init__(self, path: Path) -> None:
        """Open to append; rows already there are checked. InputError if the file cannot be used."""
        self.path = path
        self.number, self.last = 0, FIRST
        self.ids: set[str] = set()
        if path.exists():
            for row in read_log(path):
                self.number, self.last = row.number, row.digest
                self.ids.add(row.request_id)
            _drop_unfinished(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._out = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8")
        except OSError as error:
            raise InputError(f"twin log {path}: {error.strerror or error}") from error

    def add(self, request_id: str, key: Key, prompt: str, answers: Sequence[str], now: datetime | None = None) -> int:
        """Write a request's twins before one is served; returns which to serve. UsageError for an id seen before."""
        if request_id in self.ids:
            raise UsageError(f"request {request_id!r} has twins already: a coin is used once")
        if len(answers) != 2:
            raise UsageError("twins are two answers")
        time = (now or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds")
        body = (self.number + 1, time, request_id, key.id, prompt, list(answers), self.last)
        row = TwinRow(*body, digest=_digest(body))
        self._out.write(json.dumps(asdict(row)) + "\n")
        self._out.flush()
        self.number, self.last = row.number, row.digest
        self.ids.add(request_id)
        return served(key.serving(), request_id)

    def close(self) -> None:
        """Flush to disk and close."""
        os.fsync(self._out.fileno())
        self._out.close()

    def __enter__(self) -> TwinLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _drop_unfinished(path: Path) -> None:
    """Cut off a last line that was being written when the process died: its request was not answered yet."""
    with path.open("rb+") as handle:
        data = handle.read()
        handle.truncate(data.rfind(b"\n") + 1)


def read_log(path: Path) -> Iterator[TwinRow]:
    """The rows of a log in order, each checked. InputError if the chain is broken, with the row."""
    previous = FIRST
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith("\n"):
                    return
                row = _row(path, number, line)
                if (row.number, row.previous) != (number, previous):
                    raise InputError(f"twin log {path}: the chain is broken at row {number}")
                previous = row.digest
                yield row
    except FileNotFoundError as error:
        raise InputError(f"no twin log at {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"twin log {path}: {error}") from error


def _row(path: Path, number: int, line: str) -> TwinRow:
    try:
        row = TwinRow(**json.loads(line))
        at = datetime.fromisoformat(row.time)
    except (ValueError, TypeError) as error:
        raise InputError(f"twin log {path}: row {number} is no twin") from error
    texts = [row.request_id, row.key, row.prompt, *(row.answers if isinstance(row.answers, list) else [None])]
    body = (row.number, row.time, row.request_id, row.key, row.prompt, row.answers, row.previous)
    if not all(isinstance(text, str) for text in texts) or len(row.answers) != 2 or at.tzinfo is None:
        raise InputError(f"twin log {path}: row {number} is no twin")
    if _digest(body) != row.digest:
        raise InputError(f"twin log {path}: row {number} was changed")
    return row


def log_head(path: Path) -> tuple[int, str]:
    """(rows, digest of the last): what is committed to when a log is sealed."""
    count, digest = 0, FIRST
    for row in read_log(path):
        count, digest = row.number, row.digest
    if not count:
        raise InputError(f"twin log {path} is empty")
    return count, digest


def sealed_rows(path: Path, name: str, lines: list[Commitment]) -> tuple[list[TwinRow], int]:
    """(rows up to the last seal, rows after it). InputError if the log was never sealed, or is not what was sealed."""
    seals = {c.hash: c for c in lines if c.kind == "log" and c.name == name}
    if not seals:
        raise InputError(f"refused: the log {name} was never committed")
    rows, whole, seen = [], 0, set()
    for row in read_log(path):
        rows.append(row)
        if row.digest in seals:
            whole = len(rows)
        if row.request_id in seen:
            raise InputError(f"twin log {path}: request {row.request_id!r} stands there twice")
        seen.add(row.request_id)
    if not whole:
        raise InputError(f"refused: the log {name} is not the one that was committed")
    return rows[:whole], len(rows) - whole
