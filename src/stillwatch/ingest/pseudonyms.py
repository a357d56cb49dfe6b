"""Keyed pseudonyms: at rest an identifier is the keyed BLAKE2b (RFC 7693) of itself, of 128 bits.

The key lies outside the run folder, in a file that only its owner can read. The kind of the identifier personalises the
hash, so that an account and an organisation of one name do not give each other away. (HMAC-SHA256 takes more than
twice as long, and most rows of a log have an identifier or two that were not seen before.)
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.errors import UsageError

KINDS = {
    "event_id": "e", "account_id": "a", "org_id": "o", "key_id": "k", "end_user_id": "u", "conversation_id": "c",
    "reasoning_signature": "s", "address": "n", "address_prefix": "p", "payment_id": "y", "phone_id": "f",
    "email_domain": "m",
}  # fmt: skip
"""Columns that hold identifiers, and the letter their pseudonyms begin with."""
_UNIQUE, _FEW = {"event_id"}, {"event_id", "conversation_id"}
"""Those that never come twice, and those that come in few rows and then never again: no use in remembering them."""
_CACHE = 1 << 18


class Pseudonyms:
    """Replaces identifiers by pseudonyms, or leaves them as they are."""

    def __init__(self, key: bytes | None) -> None:
        self._key = key
        self._cache: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}

    @classmethod
    def keyed(cls, key: bytes) -> Pseudonyms:
        """Pseudonyms under a key of at least 16 bytes."""
        if len(key) < 16:
            raise UsageError("the pseudonym key is too short: 16 bytes or more are needed")
        return cls(key)

    @classmethod
    def none(cls) -> Pseudonyms:
        """Identifiers stay as they are in the log."""
        return cls(None)

    @classmethod
    def from_file(cls, path: Path | None = None) -> Pseudonyms:
        """Pseudonyms under the key in a file, made if it is not there; see `load_key`."""
        return cls(load_key(path)[0])

    @property
    def mode(self) -> str:
        """`keyed` or `none`."""
        return "none" if self._key is None else "keyed"

    @property
    def fingerprint(self) -> str | None:
        """Tells two keys apart without telling the key; None without one."""
        return None if self._key is None else fingerprint(self._key)

    def accounts(self, ids: Iterable[str]) -> list[str]:
        """The pseudonyms of account ids."""
        return [self.one("account_id", value) for value in ids]

    def one(self, kind: str, value: str) -> str:
        """The pseudonym of one identifier of a kind (a column name of `KINDS`)."""
        if self._key is None:
            return value
        code = _begun(self._key, KINDS[kind])
        code.update(value.encode("utf-8", "surrogatepass"))
        return f"{KINDS[kind]}_{code.hexdigest()}"

    def array(self, kind: str, values: pa.Array) -> pa.Array:
        """The pseudonyms of a string array; nulls stay null."""
        if self._key is None or values.null_count == len(values):
            return values
        if kind in _UNIQUE:
            return self._each(kind, values)
        encoded = values.dictionary_encode()
        if kind in _FEW:
            return pc.take(self._each(kind, encoded.dictionary), encoded.indices)
        cache = self._cache[kind]
        if len(cache) > _CACHE:
            cache.clear()
        given = encoded.dictionary.to_pylist()
        names = [cache.get(value) or cache.setdefault(value, self.one(kind, value)) for value in given]
        return pc.take(pa.array(names, pa.string()), encoded.indices)

    def _each(self, kind: str, values: pa.Array) -> pa.Array:
        """As `one` for identifiers of which none comes twice: the key is taken in once, the digits written at once."""
        assert self._key is not None
        begun = _begun(self._key, KINDS[kind]).copy
        given = []
        for value in values.drop_null().cast(pa.binary()).to_pylist():
            code = begun()
            code.update(value)
            given.append(code.digest())
        letters = np.full((len(given), 34), ord("_"), np.uint8)
        letters[:, 0] = ord(KINDS[kind])
        letters[:, 2:] = np.frombuffer(b"".join(given).hex().encode(), np.uint8).reshape(-1, 32)
        ends = np.arange(len(given) + 1, dtype=np.int32) * 34
        names = pa.StringArray.from_buffers(len(given), pa.py_buffer(ends), pa.py_buffer(letters.tobytes()))
        if not values.null_count:
            return names
        at = np.cumsum(values.is_valid().to_numpy(zero_copy_only=False)) - 1
        return pc.take(names, pa.array(at, mask=values.is_null().to_numpy(zero_copy_only=False)))

    def table(self, table: pa.Table) -> pa.Table:
        """A table with every identifier column replaced."""
        for index, name in enumerate(table.column_names):
            if name in KINDS:
                column = pa.chunked_array([self.array(name, c) for c in table.column(index).chunks], pa.string())
                table = table.set_column(index, table.schema.field(index), column)
        return table

    def __getstate__(self) -> tuple[bytes | None]:
        return (self._key,)  # a bare None would not be given back

    def __setstate__(self, state: tuple[bytes | None]) -> None:
        self.__init__(*state)  # type: ignore[misc]


def default_key_path() -> Path:
    """STILLWATCH_KEY_FILE, else stillwatch/pseudonym.key in the user's configuration folder."""
    if named := os.environ.get("STILLWATCH_KEY_FILE"):
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "stillwatch" / "pseudonym.key"


def load_key(path: Path | None = None) -> tuple[bytes, str]:
    """(key, its fingerprint for manifests); a key file that is not there is made, readable by its owner only.

    UsageError if the file cannot be read or made, is open to others, or holds no key.
    """
    path = path or default_key_path()
    try:
        if not path.exists():
            _create(path)
        if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UsageError(f"the key file {path} can be read by others: chmod 600 {path}")
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise UsageError(f"key file {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"key file {path}: it must hold hexadecimal digits") from error
    if len(key) < 16:
        raise UsageError(f"key file {path}: the key is too short: 32 hexadecimal digits or more are needed")
    return key, fingerprint(key)


def fingerprint(key: bytes) -> str:
    """Tells two keys apart without telling the key."""
    return _begun(key, "fingerprint").hexdigest()[:16]


def _begun(key: bytes, letter: str) -> hashlib.blake2b:
    """A hash that has taken in the key, which may be longer than BLAKE2b takes."""
    fitting = key if len(key) <= hashlib.blake2b.MAX_KEY_SIZE else hashlib.blake2b(key).digest()
    return hashlib.blake2b(key=fitting, digest_size=16, person=letter.encode())


def _create(path: Path) -> None:
    """Write a new key at once or not at all; another process that was faster wins."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as out:
            out.write(secrets.token_hex(32) + "\n")
            out.flush()
            os.fsync(out.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
