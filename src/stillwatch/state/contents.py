"""`state.json`, the root of a state: which files are alive, with their checksums. What it does not list is garbage."""

from __future__ import annotations

import hashlib
import secrets
from datetime import date
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.linking.views import VIEWS
from stillwatch.model import PROFILE, SKELETONS, SKETCHES
from stillwatch.signals import all_signals
from stillwatch.signals.summarise import columns

FORMAT = 3
"""Of the folder."""
DERIVING = 3
"""To be raised when summaries, traits or profiles come to mean something else under the same names."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class File(_Part):
    """One table."""

    rows: int
    bytes: int
    sha256: str


class Batch(_Part):
    """What one merge brought: sketches, skeletons and rejects, and the tables derived for the days that it touched."""

    id: str
    files: dict[str, File]
    report: dict[str, Any]
    """`ingest.report.IngestReport` as plain values."""
    days: dict[date, int]
    """Rows of `sketches` by UTC day."""
    derived: tuple[date, ...]
    """Days whose summaries, traits and profiles stand here; rows of other days in them are out of date."""

    @property
    def rows(self) -> int:
        """Rows of `sketches`."""
        return self.files["sketches"].rows


class Memory(_Part):
    """Which ids operators have: tables `operators` and `merged`."""

    id: str
    files: dict[str, File]


class Contents(_Part):
    """All of `state.json`."""

    format: int = FORMAT
    sketches: str
    """Digest of the schema of sketches: with another one nothing can be read."""
    derived: str
    """Digest of what is derived from them: with another one it is derived anew."""
    pseudonyms: str
    key_fingerprint: str | None
    salt: str = Field(default_factory=lambda: secrets.token_hex(16))
    forgotten: tuple[str, ...] = ()
    """Salted hashes of accounts that are not to be taken in again."""
    next: int = 1
    batches: tuple[Batch, ...] = ()
    memory: Memory | None = None

    def tombstone(self, account: str) -> str:
        """What stays of a forgotten account."""
        return hashlib.sha256(f"{self.salt}\0{account}".encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def days(self) -> dict[date, int]:
        """Events by UTC day, in order."""
        total: dict[date, int] = {}
        for batch in self.batches:
            for day, rows in batch.days.items():
                total[day] = total.get(day, 0) + rows
        return dict(sorted(total.items()))


def empty(pseudonyms: Pseudonyms) -> Contents:
    """A state in which nothing is yet."""
    return Contents(
        sketches=digest(SKETCHES, SKELETONS),
        derived=digest_of_derived(),
        pseudonyms=pseudonyms.mode,
        key_fingerprint=pseudonyms.fingerprint,
    )


def digest(*schemas: pa.Schema) -> str:
    """Tells two versions of tables apart."""
    return _hash(repr([[(field.name, str(field.type)) for field in schema] for schema in schemas]))


def digest_of_derived() -> str:
    """Tells apart versions that derive something else: other signals, views or features."""
    fields = [(name, kept.merge) for name, kept in sorted(columns(all_signals()).items())]
    return _hash(repr([DERIVING, fields, sorted((view.name, view.single) for view in VIEWS.values()), PROFILE]))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
