"""What reading several logs found, as if they had been read at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from stillwatch.ingest.report import IngestReport, spell


def together(reports: Sequence[dict[str, Any]], context_rejected: int) -> IngestReport:
    """Counts add; a column is missing that no log has; files are numbered through."""
    inputs = [read for report in reports for read in report["inputs"]]
    missing = [set(report["missing_columns"]) for report in reports]
    return IngestReport(
        inputs=[{**read, "id": number} for number, read in enumerate(inputs)],
        counts={**_counts([report["counts"] for report in reports]), "context_rejected": context_rejected},
        missing_columns=sorted(set.intersection(*missing)) if missing else [],
        unknown_columns=sorted({name for report in reports for name in report["unknown_columns"]})[:200],
        ignored_files=sorted({name for report in reports for name in report["ignored_files"]})[:200],
    )


def _counts(all_counts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Sums of numbers, and of dicts of numbers by name."""
    out: dict[str, Any] = {}
    for name in all_counts[0] if all_counts else ():
        values = [counts[name] for counts in all_counts]
        out[name] = spell(sum(map(Counter, values), Counter())) if isinstance(values[0], dict) else sum(values)
    return out
