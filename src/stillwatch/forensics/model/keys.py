"""Keys: one a suspected operator, one for everyone else, and control keys that never serve.

A key is a file `NAME@VERSION.json` that only its owner can read. Rotation makes the next version; older ones stay for
tests of what they served. A secret may come from the environment instead, never from the command line, and no message
tells one: keys are told apart by their commitment.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from stillwatch.errors import InputError, UsageError

Role = Literal["operator", "everyone_else", "control"]
ROLES: tuple[Role, ...] = get_args(Role)
ENVIRONMENT = "STILLWATCH_FORENSICS_KEY_"
"""Then the key's id in capitals, with `_` for `-`, `.` and `@`: hexadecimal digits of its secret."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Key:
    """One version of a key; `secret` is 32 bytes and is never shown."""

    name: str
    version: int
    role: Role
    made: datetime
    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """`NAME@VERSION`."""
        return f"{self.name}@{self.version}"

    @property
    def commitment(self) -> str:
        """SHA-256 of id, role and secret: binds the key without telling it (the secret has 256 random bits)."""
        head = f"stillwatch key\0{self.id}\0{self.role}\0".encode()
        return hashlib.sha256(head + self.secret).hexdigest()

    def serving(self) -> bytes:
        """The secret, for serving; UsageError for a control key, which must never serve."""
        if self.role == "control":
            raise UsageError(f"{self.id} is a control key: it never serves")
        return self.secret


class KeyStore:
    """The keys of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def new(self, name: str, role: Role) -> Key:
        """Make version 1 of a key. UsageError if the name is taken or unfit."""
        if not _NAME.fullmatch(name):
            raise UsageError(f"a key's name is of small letters, digits, '.', '_' and '-', at most 64, not {name!r}")
        if role not in ROLES:
            raise UsageError(f"a key's role is one of {', '.join(ROLES)}, not {role!r}")
        if self._versions(name):
            raise UsageError(f"there is a key {name} already: rotate it")
        return self._write(Key(name, 1, role, datetime.now(UTC).replace(microsecond=0), secrets.token_bytes(32)))

    def rotate(self, name: str) -> Key:
        """Make the next version; it serves from now on."""
        last = self.latest(name)
        if last.role == "control":
            raise UsageError(f"{last.id} is a control key: it never serves, so there is nothing to rotate")
        made = datetime.now(UTC).replace(microsecond=0)
        return self._write(Key(name, last.version + 1, last.role, made, secrets.token_bytes(32)))

    def latest(self, name: str) -> Key:
        """The version that serves."""
        versions = self._versions(name)
        if not versions:
            raise InputError(f"no key {name} in {self.folder}")
        return self.get(f"{name}@{versions[-1]}")

    def get(self, id: str) -> Key:
        """A key by `NAME@VERSION`, or the latest of `NAME`. InputError if it is missing or cannot be used."""
        if "@" not in id:
            return self.latest(id)
        name, _, version = id.partition("@")
        if not _NAME.fullmatch(name) or not version.isdigit():
            raise UsageError(f"a key is NAME or NAME@VERSION, not {id!r}")
        path = self.folder / f"{name}@{int(version)}.json"
        try:
            if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise InputError(f"the key file {path} can be read by others: chmod 600 {path}")
            return self._parsed(path, json.loads(path.read_text(encoding="utf-8")), name, int(version))
        except FileNotFoundError as error:
            raise InputError(f"no key {id} in {self.folder}") from error
        except OSError as error:
            raise InputError(f"key file {path}: {error.strerror or error}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"key file {path}: it is not a key of Stillwatch") from error

    def all(self) -> list[Key]:
        """Every version of every key, by name and version."""
        ids = []
        for path in self.folder.glob("*@*.json"):
            name, _, version = path.stem.partition("@")
            if version.isdigit():
                ids.append((name, int(version)))
        return [self.get(f"{name}@{version}") for name, version in sorted(ids)]

    def _versions(self, name: str) -> list[int]:
        found = (path.stem.rpartition("@") for path in self.folder.glob(f"{name}@*.json"))
        return sorted(int(version) for base, _, version in found if base == name and version.isdigit())

    def _parsed(self, path: Path, found: dict[str, str], name: str, version: int) -> Key:
        given = os.environ.get(ENVIRONMENT + re.sub(r"[-.@]", "_", f"{name}@{version}").upper())
        secret = bytes.fromhex(given if given else found["secret"])
        if len(secret) != 32:
            raise InputError(f"key file {path}: a secret has 64 hexadecimal digits")
        role = found["role"]
        if role not in ROLES:
            raise InputError(f"key file {path}: a role is one of {', '.join(ROLES)}")
        return Key(name, version, role, datetime.fromisoformat(found["made"]), secret)

    def _write(self, key: Key) -> Key:
        """Write a new key at once or not at all; it is never replaced."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = self.folder / f"{key.id}.json"
            temporary = self.folder / f".{key.id}.{secrets.token_hex(4)}.tmp"
            body = {"name": key.name, "version": key.version, "role": key.role, "made": key.made.isoformat()}
            try:
                handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(handle, "w") as out:
                    out.write(json.dumps({**body, "secret": key.secret.hex()}) + "\n")
                    out.flush()
                    os.fsync(out.fileno())
                os.link(temporary, path)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    temporary.unlink()
        except FileExistsError as error:
            raise UsageError(f"there is a key {key.id} already") from error
        except OSError as error:
            raise InputError(f"cannot write a key to {self.folder}: {error.strerror or error}") from error
        return key
