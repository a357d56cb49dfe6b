"""What reading a log found: for the manifest, the terminal and the report."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from stillwatch.ingest.sources import Source


def spell(counter: Counter[str]) -> dict[str, int]:
    """A counter as a plain dict without zeros, by name."""
    return {name: counter[name] for name in sorted(counter) if counter[name]}


@dataclass
class SourceReport:
    """One file: rows in = kept + rejected."""

    source: Source
    rows_in: int = 0
    kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    unknown_columns: set[str] = field(default_factory=set)

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        source = self.source
        return {
            "id": source.id, "path": str(source.path), "format": source.format, "container": source.container,
            "compression": source.compression, "bytes": source.bytes, "sha256": source.sha256,
            "rows_in": self.rows_in, "kept": self.kept, "rejected": spell(self.rejected),
            "unknown_columns": sorted(self.unknown_columns)[:100],
        }  # fmt: skip


@dataclass
class IngestReport:
    """What reading the log found."""

    inputs: list[dict[str, Any]]
    counts: dict[str, Any]
    """rows_in, kept, rejected, rejected_by_reason, duplicates, cut_texts, invalid_utf8, repaired (values made null, by
    column), skipped_spans, late_parents, context_rejected."""
    missing_columns: list[str]
    """Columns of `model.EVENTS` that hold no value in any kept row."""
    unknown_columns: list[str] = field(default_factory=list)
    ignored_files: list[str] = field(default_factory=list)
    """Files in the folders given whose ending is that of no log."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "inputs": self.inputs, "counts": self.counts, "missing_columns": self.missing_columns,
            "unknown_columns": self.unknown_columns, "ignored_files": self.ignored_files,
        }  # fmt: skip


def group(reason: str) -> str:
    """The reason without the row or the detail it names, for counting."""
    return reason.split(" after row ", maxsplit=1)[0].split(": ", maxsplit=1)[0]
