"""API keys: what a file knows of them is a hash, so that who reads the file can use none of them.

A key is `sw_ID_SECRET`. The secret is 256 random bits, so one SHA-256 is enough: there is nothing to guess. Keys are
looked up by their id and compared in constant time; a key that is not there takes as long as one that is.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stillwatch.engine.runfolder import atomic
from stillwatch.errors import UsageError


class Role(StrEnum):
    """What a key is for; each of the last three may do what the one before may."""

    INGEST = "ingest"
    """Send events, and nothing else."""
    VIEWER = "viewer"
    """Read decisions, evidence, figures."""
    ANALYST = "analyst"
    """Propose decisions, write notes."""
    APPROVER = "approver"
    """Put in force what somebody else proposed; the allow list, the kill switch."""


IMPLIED = {
    Role.INGEST: {Role.INGEST},
    Role.VIEWER: {Role.VIEWER},
    Role.ANALYST: {Role.VIEWER, Role.ANALYST},
    Role.APPROVER: {Role.VIEWER, Role.ANALYST, Role.APPROVER},
}
_KEY = re.compile(r"sw_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_NOBODY = hashlib.sha256(b"nobody").hexdigest()


class Entry(BaseModel):
    """A key as the file has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[0-9a-f]{12}$")
    name: str = Field(min_length=1, max_length=80)
    roles: tuple[Role, ...] = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    created_at: datetime
    expires_at: datetime | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = 1
    keys: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Caller:
    """Who asks, and what it may do."""

    id: str
    name: str
    roles: frozenset[Role]

    def may(self, role: Role) -> bool:
        """Whether it has that role."""
        return role in self.roles


LOCAL = Caller("local", "local", frozenset(Role))
"""Whoever can reach a service without keys, which listens on loopback only."""


@dataclass
class Keys:
    """The keys of a file, read anew when the file changes; without a file everybody is `LOCAL`."""

    path: Path | None = None
    entries: dict[str, Entry] = field(default_factory=dict)
    _stamp: tuple[int, int, int] = (0, 0, 0)

    @classmethod
    def load(cls, path: Path | None) -> Keys:
        """UsageError if the file cannot be read, is open to others, or holds no key."""
        keys = cls(path)
        keys.refresh()
        if path is not None and not keys.entries:
            raise UsageError(f"the key file {path} has no key: stillwatch key add --role viewer --file {path}")
        return keys

    @property
    def open(self) -> bool:
        """Whether no key is asked for."""
        return self.path is None

    def refresh(self) -> None:
        """Read the file again if it is another one; UsageError as in `load`, and the keys are as before."""
        if self.path is None:
            return
        try:
            status = self.path.stat()
        except OSError as error:
            raise UsageError(f"key file {self.path}: {error.strerror or error}") from error
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if stamp != self._stamp:
            self.entries = {entry.id: entry for entry in read(self.path)}
            self._stamp = stamp

    def caller(self, key: str | None, now: datetime) -> Caller | None:
        """Who has this key; None if nobody has, or if it has expired."""
        if self.open:
            return LOCAL
        found = _KEY.fullmatch(key or "")
        entry = self.entries.get(found[1]) if found else None
        given = hashlib.sha256((found[2] if found else "").encode()).hexdigest()
        same = hmac.compare_digest(given, entry.sha256 if entry else _NOBODY)
        if entry is None or not same or (entry.expires_at is not None and now >= entry.expires_at):
            return None
        return Caller(entry.id, entry.name, frozenset().union(*(IMPLIED[role] for role in entry.roles)))


def read(path: Path) -> tuple[Entry, ...]:
    """The keys of a file; none if it is not there. UsageError if it cannot be used."""
    try:
        if not path.exists():
            return ()
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UsageError(f"the key file {path} can be read by others: chmod 600 {path}")
        return _File.model_validate_json(path.read_bytes()).keys
    except OSError as error:
        raise UsageError(f"key file {path}: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"key file {path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def add(path: Path, roles: tuple[Role, ...], name: str, expires_at: datetime | None = None) -> tuple[Entry, str]:
    """A new key in the file, made if absent: (what the file knows, the key, which nobody can have again)."""
    if not name.strip():
        raise UsageError("a key needs the name of who or what uses it")
    entries = read(path)
    id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    digest = hashlib.sha256(secret.encode()).hexdigest()
    entry = Entry(id=id, name=name.strip(), roles=roles, sha256=digest, created_at=_now(), expires_at=expires_at)
    _write(path, (*entries, entry))
    return entry, f"sw_{id}_{secret}"


def revoke(path: Path, id: str) -> Entry:
    """Take a key out of the file; UsageError if it is not there."""
    entries = read(path)
    gone = next((entry for entry in entries if entry.id == id), None)
    if gone is None:
        raise UsageError(f"key file {path}: there is no key {id}")
    _write(path, tuple(entry for entry in entries if entry.id != id))
    return gone


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _write(path: Path, entries: tuple[Entry, ...]) -> None:
    body: dict[str, Any] = _File(keys=entries).model_dump(mode="json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as temporary:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                out.write(json.dumps(body, indent=1) + "\n")
    except OSError as error:
        raise UsageError(f"key file {path}: {error.strerror or error}") from error
