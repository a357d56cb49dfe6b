"""Limits and intervals of the service: one TOML file, every value with a default, every unknown word refused."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stillwatch.errors import UsageError

Model = TypeVar("Model", bound=BaseModel)


class ServiceSettings(BaseModel):
    """All of them. Sizes are bytes, times seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_body_bytes: int = Field(default=16 << 20, ge=1024)
    """Longest body of a request, as sent."""
    max_decoded_bytes: int = Field(default=64 << 20, ge=1024)
    """Longest body once it is decompressed."""
    max_rejects: int = Field(default=10_000, ge=1)
    """A body with more rows that cannot be used is no log: it is refused whole."""
    body_seconds: float = Field(default=20.0, gt=0)
    """Time in which a body must have come."""
    queue_bytes: int = Field(default=64 << 20, ge=1024)
    """Bodies that are being worked on; beyond it senders get 429."""
    backlog_bytes: int = Field(default=4 << 30, ge=1024)
    """What is stored and not yet merged into the state; beyond it senders get 429."""
    sketchers: int = Field(default=0, ge=0)
    """Processes that read and sketch bodies; 0 is one less than there are cores, at least one."""
    sketcher_bytes: int = Field(default=4 << 30, ge=1 << 30)
    """Address space that a sketcher may take beyond what it starts with, whatever it was sent."""

    look_seconds: float = Field(default=60.0, gt=0)
    """Least time from the start of one look to that of the next; a look is never more than half of the time."""
    fast_seconds: float = Field(default=0.5, gt=0)
    """Time between two passes of the fast path."""
    recognise_rate: float = Field(default=1e-4, gt=0, le=0.01)
    """False-positive rate of the fast path: honest accounts that are taken for some accused operator's."""
    share_level: bool = True
    """All looks together keep the stated false-discovery rate; False lets each one accuse at the whole of it."""
    keep_runs: int = Field(default=3, ge=2)
    """Run folders kept."""
    workers_memory: str = "2GB"
    """What the engine may take in a look before it spills to disk."""

    requests_per_second: float = Field(default=5000.0, gt=0)
    """Requests of one key, in the mean."""
    burst: int = Field(default=10_000, ge=1)
    """Requests of one key at once."""
    recognised: Literal["monitor", "verify"] = "monitor"
    """What is done about an account that the fast path recognised; more needs a look."""
    recognised_hours: float = Field(default=24.0, gt=0)
    """How long that holds if no look says otherwise."""

    poll_seconds: float = Field(default=30.0, gt=0)
    """Longest wait of a long poll."""
    pollers: int = Field(default=500, ge=1)
    """Long polls that may wait at once."""
    bulk: int = Field(default=10_000, ge=1)
    """Accounts in one bulk look-up."""
    send_seconds: float = Field(default=30.0, gt=0)
    """A client that has not read for so long is hung up on."""


def load(path: Path | None) -> ServiceSettings:
    """From a TOML file, or the defaults; UsageError names the word that is wrong."""
    return ServiceSettings() if path is None else from_toml(ServiceSettings, path, f"service settings {path}")


def from_toml(kind: type[Model], path: Path, called: str) -> Model:
    """Settings of one kind from a TOML file; UsageError, which begins with `called`, names the word that is wrong."""
    try:
        return kind.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"{called}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{called}: not TOML: {error}") from error
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise UsageError(f"{called}: " + "; ".join(lines)) from error
