"""Settings of a scan: one TOML file, every value with a default, every unknown word refused."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stillwatch.errors import UsageError


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class IngestSettings(_Section):
    """How a log is read."""

    columns: dict[str, str] = Field(default_factory=dict)
    """For `--format table`: canonical column = the log's column."""
    attributes: dict[str, str] = Field(default_factory=dict)
    """For `--format otel`: canonical column = span or resource attribute, e.g. account_id = "tenant.id"."""
    time_unit: Literal["auto", "s", "ms", "us", "ns"] = "auto"
    max_future_hours: float = 24.0
    """Rows later than now by more than this are rejected as clock skew."""
    max_text_bytes: int = 262_144
    """Text beyond this is cut before it is sketched; the cut is counted."""
    exemplars: bool = True
    """Keep masked skeleton text that repeats. Raw text is never kept."""
    answers: bool = True
    """Keep sketches of answers, for `trace data`. Their text is never kept."""
    workers: int = 0
    """Threads (where the log is columns) or processes that sketch text; 0 = one a core of those `--threads` allows."""


class LinkingSettings(_Section):
    """How accounts are linked."""

    fdr: float = Field(default=0.01, gt=0, lt=1)
    """False-discovery rate over all pairs (Benjamini-Hochberg)."""
    scales: tuple[float, ...] = (0.3, 0.1, 0.03, 0.01, 0.003)
    orders: int = Field(default=8, ge=1, le=64)
    """Global random orders of the accounts from which neighbours in popular tokens are drawn."""
    weak_log_p: float = -4.0
    """Natural log of p below which a pair enters the group scan."""
    without: tuple[str, ...] = ()
    """Views that are left out, by name."""


class JudgingSettings(_Section):
    """How operators are judged."""

    fdr: float = Field(default=0.01, gt=0, lt=1)
    """False-discovery rate over operators; an accusation needs every required dimension below it."""
    matched_groups: int = Field(default=199, ge=19, le=9999)
    """Matched groups of ordinary accounts drawn for each operator."""
    more_groups: int = Field(default=999, ge=19, le=99_999)
    """Drawn anew for the operators whose accusation is in question after that."""
    without: tuple[str, ...] = ()
    """Signals that are left out, by name."""


class StateSettings(_Section):
    """What is kept from day to day (`scan --state`)."""

    retain_days: int = Field(default=0, ge=0)
    """Days kept, counted back from the newest one in the state; 0 keeps all."""
    batches: int = Field(default=8, ge=0)
    """Batches that a day may have before small ones are laid together; 0 leaves every merge its own."""


class Settings(_Section):
    """All settings of a scan."""

    seed: int = 0
    ingest: IngestSettings = IngestSettings()
    linking: LinkingSettings = LinkingSettings()
    judging: JudgingSettings = JudgingSettings()
    state: StateSettings = StateSettings()


def load(path: Path | None) -> Settings:
    """Settings from a TOML file, or the defaults; UsageError names the word that is wrong."""
    if path is None:
        return Settings()
    try:
        return Settings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"settings {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"settings {path}: not TOML: {error}") from error
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise UsageError(f"settings {path}: " + "; ".join(lines)) from error
