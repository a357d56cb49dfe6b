"""Where parcels wait until they are merged into the state: durable before anybody is told that they were taken.

Numbers only rise and are never given twice, also after everything was dropped. A parcel has a checksum of its own.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from stillwatch.errors import RunError


class StoreError(RunError):
    """The store cannot take or give parcels: no room, no connection, damage. What was not acknowledged is not kept."""


@dataclass(frozen=True)
class Waiting:
    """What is in the store."""

    parcels: int = 0
    events: int = 0
    bytes: int = 0
    last: int = 0
    """Number of the newest parcel ever stored."""
    oldest_at: float | None = None
    """When the oldest parcel came, seconds since 1970."""


@dataclass(frozen=True)
class Stored:
    """A parcel with its number."""

    number: int
    data: bytes


class Store(Protocol):
    """What a store can do; an instance belongs to one thread."""

    def append(self, parcels: Sequence[tuple[bytes, int]]) -> int:
        """Keep (parcel, events) of each; they are durable when the number of the last is returned. StoreError."""

    def read(self, after: int, most_bytes: int) -> list[Stored]:
        """Parcels numbered above `after` in order, at least one if there is one, up to about `most_bytes`."""

    def drop(self, upto: int) -> None:
        """Parcels up to that number have been merged elsewhere."""

    def waiting(self) -> Waiting:
        """How much is in it."""

    def close(self) -> None:
        """Let go of it."""


def checked(number: int, data: bytes, crc: int) -> Stored:
    """A parcel that is what was stored; StoreError names the one that is not."""
    if zlib.crc32(data) != crc:
        raise StoreError(f"parcel {number} in the store is damaged: its checksum differs. Restore the store")
    return Stored(number, data)
