"""The stage: files of a log -> the tables `sketches`, `skeletons` and `rejects` of a run folder.

The main process reads containers and writes tables; worker processes parse, cast and sketch. A bounded number of chunks
is in flight, and results are taken in the order of the files, so memory is bounded and the tables do not depend on the
number of workers.
"""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.engine.room import Room
from stillwatch.engine.runfolder import RunFolder, atomic
from stillwatch.errors import InputError, RunError, StillwatchError, UsageError
from stillwatch.ingest import duplicates, formats, work
from stillwatch.ingest.accounts import Context
from stillwatch.ingest.exemplars import Exemplars
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.ingest.readers import Chunk, UnreadableError, check_columns, read, unknown_columns, wanted_columns
from stillwatch.ingest.report import IngestReport, SourceReport, group, spell
from stillwatch.ingest.sources import Source, find_files, open_source
from stillwatch.model import EVENTS, REJECTS, SKETCHES
from stillwatch.progress import SILENT, Progress
from stillwatch.settings import IngestSettings

SMALL = 24 << 20
"""Bytes of input up to which starting worker processes would take longer than the work."""
ROW_GROUP = 1 << 17
_UNUSED = {"response"}
"""Columns of the events from which nothing is sketched; they are not read where the container can leave them out."""


def ingest(
    sources: Sequence[str | Path],
    run: RunFolder,
    *,
    format: str = "auto",
    settings: IngestSettings | None = None,
    pseudonyms: Pseudonyms | None = None,
    context: Context | None = None,
    progress: Progress | None = None,
    known: Collection[tuple[str, str]] = (),
    room: Room | None = None,
) -> IngestReport:
    """Read a log into `run`; rows in = rows kept + rows rejected, always.

    Files that are `known` (path, SHA-256) are left out; a log of such files alone writes no table and has no inputs.

    InputError if there is no event to read, a required column is missing, or the only file cannot be read.
    RunError if the tables cannot be written.
    """
    settings, progress, context = settings or IngestSettings(), progress or SILENT, context or Context()
    room = room or Room()
    _check_words(format, settings)
    files, ignored = find_files(sources)
    looked = (open_source(0, path, root, format) for path, root in files)
    new = (source for source in looked if (str(source.path), source.sha256) not in known)
    opened = [replace(source, id=number) for number, source in enumerate(new)]
    scan = _Scan(opened, settings)
    if not opened:
        return scan.report(ignored, len(context.rejects))
    job = work.Job(settings, pseudonyms or Pseudonyms.none(), context.networks, int(time.time() * 1e6))
    progress.stage("reading and sketching", sum(source.bytes for source in opened))
    with _Tables(run, settings, room) as tables:
        for source_path, row, reason in context.rejects:
            tables.reject(source_path, [(row, reason)])
        for done in _run(scan.chunks(tables), job, sum(source.bytes for source in opened), room):
            scan.count(done)
            tables.take(done, str(opened[done.source_id].path))
            progress.advance(done.bytes)
        if not scan.kept:
            raise InputError(scan.nothing())
        twice = tables.finish([str(source.path) for source in opened])
        scan.drop(twice)
        _check_sum(scan)
    return scan.report(ignored, len(context.rejects))


def _check_words(format: str, settings: IngestSettings) -> None:
    if format not in ("auto", *formats.FORMATS):
        raise UsageError(f"unknown format {format}: auto, {', '.join(formats.FORMATS)}")
    for setting in ("columns", "attributes"):
        for name in getattr(settings, setting):
            if name not in EVENTS.names:
                raise UsageError(
                    f"settings: ingest.{setting}: {name} is no column of events: {', '.join(EVENTS.names)}"
                )


class _Scan:
    """What is read and what was counted."""

    def __init__(self, sources: list[Source], settings: IngestSettings) -> None:
        self.settings = settings
        self.reports = [SourceReport(source) for source in sources]
        self.counts: Counter[str] = Counter()
        self.repaired: Counter[str] = Counter()
        self.present: Counter[str] = Counter()
        for report in self.reports:
            if report.source.format == "table":
                names = check_columns(report.source, settings)
                report.unknown_columns.update(unknown_columns(names, settings))

    def chunks(self, tables: _Tables) -> Iterator[Chunk]:
        """Chunks of all files; a file that cannot be read is one reject, or an InputError if it is the only one."""
        wanted = wanted_columns(self.settings, set(EVENTS.names) - _UNUSED)
        for report in self.reports:
            source = report.source
            try:
                yield from read(source, self.settings, wanted if source.format == "table" else None)
            except (UnreadableError, OSError) as error:
                why = str(error.strerror or error) if isinstance(error, OSError) else str(error)
                if len(self.reports) == 1:
                    raise InputError(f"{source.path}: {why}") from error
                report.rows_in += 1
                report.rejected[group(why)] += 1
                tables.reject(str(source.path), [(0, why)])

    def count(self, done: work.Done) -> None:
        """Add what a chunk held."""
        report = self.reports[done.source_id]
        report.rows_in += done.rows_in
        report.kept += done.sketches.num_rows
        report.rejected.update(group(reason) for _, reason in done.rejects)
        report.unknown_columns |= done.names
        self.counts += done.counts
        self.repaired += done.repaired
        self.present += done.present

    def drop(self, twice: pa.Table) -> None:
        """Rows that were kept and turned out to be duplicates."""
        for source_id in twice["source_id"].to_pylist():
            self.reports[source_id].kept -= 1
            self.reports[source_id].rejected["duplicate event_id"] += 1
        self.counts["duplicates"] = len(twice)

    @property
    def kept(self) -> int:
        return sum(report.kept for report in self.reports)

    @property
    def rejected(self) -> Counter[str]:
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
            missing_columns=[n for n in EVENTS.names if not self.present[n] and n not in _UNUSED],
            unknown_columns=sorted(unknown)[:200],
            ignored_files=[str(path) for path in ignored[:200]],
        )  # fmt: skip


def _check_sum(scan: _Scan) -> None:
    for report in scan.reports:
        if report.rows_in != report.kept + sum(report.rejected.values()):
            raise StillwatchError(f"{report.source.path}: rows in and rows out differ; please report this")


class _Tables:
    """The three tables while they are written; they get their names only when all is well."""

    def __init__(self, run: RunFolder, settings: IngestSettings, room: Room) -> None:
        self.room = room
        self.run, self.exemplars = run, Exemplars() if settings.exemplars else None
        self.stage = run.root / ".sketches.stage.parquet.tmp"
        self.stack = ExitStack()
        self.pending: list[pa.RecordBatch] = []
        self.pending_rows = 0
        self.rejected: list[tuple[str, int, str]] = []

    def __enter__(self) -> _Tables:
        try:
            self.run.root.mkdir(parents=True, exist_ok=True)
            self.stack.callback(self.stage.unlink, missing_ok=True)
            self.sketches = pq.ParquetWriter(self.stage, SKETCHES, compression="zstd")
            self.stack.callback(self._close)
        except OSError as error:
            raise RunError(f"cannot write in {self.run.root}: {error.strerror or error}") from error
        self.rejects = self.stack.enter_context(self.run.writer("rejects"))
        return self

    def __exit__(self, *error: object) -> None:
        self.stack.__exit__(*error)  # type: ignore[arg-type]

    def _close(self) -> None:
        with suppress(OSError):  # after an error there may be no room for the footer either
            self.sketches.close()

    def reject(self, path: str, rows: Iterable[tuple[int, str]]) -> None:
        """Rows of a file that are not kept."""
        self.rejected += [(path, row, reason) for row, reason in rows]
        if len(self.rejected) >= ROW_GROUP:
            self._flush_rejects()

    def take(self, done: work.Done, path: str) -> None:
        """A chunk's results."""
        self.reject(path, done.rejects)
        if self.exemplars is not None:
            self.exemplars.add(done.skeletons)
        if done.sketches.num_rows:
            self.pending.append(done.sketches)
            self.pending_rows += done.sketches.num_rows
        if self.pending_rows >= ROW_GROUP:
            self._flush_sketches()

    def _flush_sketches(self) -> None:
        if self.pending:
            try:
                self.sketches.write_table(pa.Table.from_batches(self.pending, SKETCHES))
            except OSError as error:
                raise RunError(f"cannot write table sketches in {self.run.root}: {error.strerror or error}") from error
        self.pending, self.pending_rows = [], 0

    def _flush_rejects(self) -> None:
        columns = zip(*self.rejected, strict=True) if self.rejected else ([], [], [])
        arrays = [pa.array(list(column), field.type) for column, field in zip(columns, REJECTS, strict=True)]
        self.rejects.write_table(pa.Table.from_arrays(arrays, schema=REJECTS))
        self.rejected = []

    def finish(self, paths: list[str]) -> pa.Table:
        """Write what is left, drop duplicates, give `sketches` and `skeletons` their names; the duplicates."""
        self._flush_sketches()
        try:
            self.sketches.close()
        except OSError as error:
            raise RunError(f"cannot write table sketches in {self.run.root}: {error.strerror or error}") from error
        scratch = self.stack.enter_context(self.room.scratch(self.run.root))
        twice = duplicates.find(self.stage, scratch, self.room)
        for source, row in zip(twice["source_id"].to_pylist(), twice["source_row"].to_pylist(), strict=True):
            self.reject(paths[source], [(row, "duplicate event_id")])
        self._flush_rejects()
        try:
            with atomic(self.run.path("sketches")) as out:
                if len(twice):
                    duplicates.without(self.stage, twice["place"].to_numpy().astype(np.int64), out)
                else:
                    self.stage.replace(out)
        except OSError as error:
            raise RunError(f"cannot write table sketches in {self.run.root}: {error.strerror or error}") from error
        exemplars = self.exemplars or Exemplars()
        self.run.write("skeletons", exemplars.table(self.run.path("sketches"), self.room, scratch))
        return twice


def _run(chunks: Iterator[Chunk], job: work.Job, size: int, room: Room) -> Iterator[work.Done]:
    """Work chunks off, in order; in worker processes where there is enough to do."""
    workers = room.workers(job.settings.workers)
    if size < SMALL or workers == 1:
        yield from (work.process(chunk, job) for chunk in chunks)
        return
    methods = multiprocessing.get_all_start_methods()
    start = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:
        start.set_forkserver_preload(["stillwatch.ingest.work"])
    pool = ProcessPoolExecutor(workers, start, initializer=_begin, initargs=(job,))
    try:
        yield from _ordered(chunks, lambda chunk: pool.submit(_work, chunk), 2 * workers + 1)
    except BrokenProcessPool as error:
        raise RunError("a worker process died; is memory short? Try --threads 1") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ordered(chunks: Iterator[Chunk], submit: Callable[[Chunk], Future[work.Done]], ahead: int) -> Iterator[work.Done]:
    waiting: deque[Future[work.Done]] = deque()
    for chunk in chunks:
        waiting.append(submit(chunk))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


_job: work.Job | None = None


def _begin(job: work.Job) -> None:
    global _job  # noqa: PLW0603  (each worker process has one)
    _job = job
    pa.set_cpu_count(1)


def _work(chunk: Chunk) -> work.Done:
    assert _job is not None
    return work.process(chunk, _job)
