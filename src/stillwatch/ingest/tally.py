"""What a log holds, counted while it is read: rows in = rows kept + rows rejected, file by file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa

from stillwatch.errors import InputError, StillwatchError
from stillwatch.ingest import duplicates, work
from stillwatch.ingest.readers import check_columns, unknown_columns, wanted_columns
from stillwatch.ingest.report import IngestReport, SourceReport, group, spell
from stillwatch.ingest.sources import Source
from stillwatch.model import EVENTS
from stillwatch.progress import Progress
from stillwatch.settings import IngestSettings


def unused(settings: IngestSettings) -> set[str]:
    """Columns of the events from which nothing is sketched; not read where the container can leave them out."""
    return set() if settings.answers else {"response"}


class Tally:
    """What is read and what was counted."""

    def __init__(self, sources: list[Source], settings: IngestSettings) -> None:
        self.settings = settings
        self.reports = [SourceReport(source) for source in sources]
        self.counts: Counter[str] = Counter()
        self.repaired: Counter[str] = Counter()
        self.present: Counter[str] = Counter()
        self.events = 0
        self._accounts: set[int] = set()
        for report in self.reports:
            if report.source.format == "table":
                names = check_columns(report.source, settings)
                report.unknown_columns.update(unknown_columns(names, settings))

    def columns(self, source: Source) -> set[str] | None:
        """Columns of a file that are read, where its container can leave others out."""
        return (
            wanted_columns(self.settings, set(EVENTS.names) - unused(self.settings))
            if source.format == "table"
            else None
        )

    def unreadable(self, source: Source, error: Exception) -> tuple[int, str]:
        """The reject that a file which cannot be read is; InputError if it is the only file."""
        why = str(error.strerror or error) if isinstance(error, OSError) else str(error)
        if len(self.reports) == 1:
            raise InputError(f"{source.path}: {why}") from error
        self.reports[source.id].rows_in += 1
        self.reports[source.id].rejected[group(why)] += 1
        return 0, why

    def count(self, done: work.Done) -> None:
        """Add what a chunk held."""
        report = self.reports[done.source_id]
        report.rows_in += done.rows_in
        report.kept += done.kept
        report.rejected.update(group(reason) for _, reason in done.rejects)
        report.unknown_columns |= done.names
        self.counts += done.counts
        self.repaired += done.repaired
        self.present += done.present
        self.events += done.kept
        self._accounts |= done.accounts

    def tell(self, progress: Progress) -> None:
        """What is known of the log by now."""
        accounts = work.SAMPLED * len(self._accounts)
        progress.tell(events=self.events, texts=self.present["messages"], accounts=accounts)

    def drop(self, twice: pa.Table) -> None:
        """Rows that were kept and turned out to be duplicates."""
        for source_id in twice["source_id"].to_pylist():
            self.reports[source_id].kept -= 1
            self.reports[source_id].rejected[duplicates.REASON] += 1
        self.counts["duplicates"] = len(twice)

    @property
    def kept(self) -> int:
        """Rows kept."""
        return sum(report.kept for report in self.reports)

    @property
    def rejected(self) -> Counter[str]:
        """Rows rejected, by reason."""
        return sum((report.rejected for report in self.reports), Counter())

    def nothing(self) -> str:
        """Why there is nothing to go on with."""
        paths = ", ".join(str(report.source.path) for report in self.reports[:3])
        if not self.rejected:
            skipped = self.counts["skipped_spans"]
            return f"{paths}: no events" + (f" (of {skipped} spans none is a GenAI request)" if skipped else "")
        reasons = ", ".join(f"{reason}: {n}" for reason, n in self.rejected.most_common(3))
        formats_read = ", ".join(sorted({report.source.format for report in self.reports}))
        return f"{paths}: no events: every row was rejected ({reasons}); read as format {formats_read}"

    def report(self, ignored: list[Path], context_rejected: int) -> IngestReport:
        """The whole as plain values."""
        rejected = self.rejected
        unknown = set().union(*(report.unknown_columns for report in self.reports))
        return IngestReport(
            inputs=[report.as_dict() for report in self.reports],
            counts={
                "rows_in": sum(report.rows_in for report in self.reports),
                "kept": self.kept,
                "rejected": sum(rejected.values()),
                "rejected_by_reason": spell(rejected),
                **{name: self.counts[name] for name in (
                    "duplicates", "cut_texts", "invalid_utf8", "skipped_spans", "late_parents",
                )},
                "repaired": spell(self.repaired),
                "context_rejected": context_rejected,
            },
            missing_columns=[n for n in EVENTS.names if not self.present[n] and n not in unused(self.settings)],
            unknown_columns=sorted(unknown)[:200],
            ignored_files=[str(path) for path in ignored[:200]],
        )  # fmt: skip

    def check(self) -> None:
        """Rows in = rows kept + rows rejected, in every file."""
        for report in self.reports:
            if report.rows_in != report.kept + sum(report.rejected.values()):
                raise StillwatchError(f"{report.source.path}: rows in and rows out differ; please report this")
