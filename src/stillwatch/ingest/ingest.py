"""The stage: files of a log -> the tables `sketches`, `answers`, `skeletons` and `rejects` of a run folder.

The main thread reads containers and writes tables; workers parse, cast and sketch (`workers.py`). Results come in the
order of the files, so the tables do not depend on the number of workers.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from stillwatch.engine.duckdb import duckdb_in
from stillwatch.engine.room import Room
from stillwatch.engine.runfolder import RunFolder, atomic, table_writer
from stillwatch.errors import InputError, RunError, UsageError
from stillwatch.ingest import duplicates, formats, parcels, work
from stillwatch.ingest.accounts import Context
from stillwatch.ingest.answers import AnswersWriter, keys, without
from stillwatch.ingest.exemplars import Exemplars
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.ingest.readers import Chunk, UnreadableError, read
from stillwatch.ingest.report import IngestReport
from stillwatch.ingest.sources import Source, find_files, open_source
from stillwatch.ingest.tally import Tally
from stillwatch.ingest.workers import worked
from stillwatch.model import EVENTS, REJECTS, SKETCHES
from stillwatch.progress import SILENT, Progress
from stillwatch.settings import IngestSettings

ROW_GROUP = 1 << 17


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
    check_words(format, settings)
    opened, ignored = opened_sources(sources, format, known)
    tally = Tally(opened, settings)
    if not opened:
        return tally.report(ignored, len(context.rejects))
    job = work.Job(settings, pseudonyms or Pseudonyms.none(), context.networks, int(time.time() * 1e6))
    progress.stage("reading and sketching", sum(source.bytes for source in opened))
    with _Tables(run, settings, room) as tables:
        for source_path, row, reason in context.rejects:
            tables.reject(source_path, [(row, reason)])
        for done in worked(_chunks(tally, tables), job, opened, room):
            tally.count(done)
            tables.take(done, str(opened[done.source_id].path))
            tally.tell(progress)
            progress.advance(done.bytes)
        if not tally.kept:
            raise InputError(tally.nothing())
        progress.stage("looking for duplicates")
        twice = tables.finish([str(source.path) for source in opened])
        tally.drop(twice)
        tally.check()
    return tally.report(ignored, len(context.rejects))


def opened_sources(
    sources: Sequence[str | Path], format: str, known: Collection[tuple[str, str]] = ()
) -> tuple[list[Source], list[Path]]:
    """The files of a log that are not `known` (path, SHA-256), numbered, and those left out for their endings."""
    files, ignored = find_files(sources)
    looked = (open_source(0, path, root, format) for path, root in files)
    new = (source for source in looked if (str(source.path), source.sha256) not in known)
    return [replace(source, id=number) for number, source in enumerate(new)], ignored


def check_words(format: str, settings: IngestSettings) -> None:
    """UsageError if the format or a column of the settings does not exist."""
    if format not in ("auto", parcels.FORMAT, *formats.FORMATS):
        raise UsageError(f"unknown format {format}: auto, {', '.join(formats.FORMATS)}")
    for setting in ("columns", "attributes"):
        for name in getattr(settings, setting):
            if name not in EVENTS.names:
                raise UsageError(
                    f"settings: ingest.{setting}: {name} is no column of events: {', '.join(EVENTS.names)}"
                )


def _chunks(tally: Tally, tables: _Tables) -> Iterator[Chunk]:
    """Chunks of all files; a file that cannot be read is one reject, or an InputError if it is the only one."""
    for report in tally.reports:
        source = report.source
        try:
            yield from read(source, tally.settings, tally.columns(source))
        except (UnreadableError, OSError) as error:
            tables.reject(str(source.path), [tally.unreadable(source, error)])


class _Tables:
    """The four tables while they are written; they get their names only when all is well."""

    def __init__(self, run: RunFolder, settings: IngestSettings, room: Room) -> None:
        self.room = room
        self.run, self.exemplars = run, Exemplars() if settings.exemplars else None
        self.stage = run.root / ".sketches.stage.parquet.tmp"
        self.stage_of_answers = run.root / ".answers.stage.parquet.tmp"
        self.stack = ExitStack()
        self.pending: list[pa.RecordBatch] = []
        self.pending_rows = 0
        self.rejected: list[tuple[str, int, str]] = []

    def __enter__(self) -> _Tables:
        try:
            self.run.root.mkdir(parents=True, exist_ok=True)
            self.stack.callback(self.stage.unlink, missing_ok=True)
            self.stack.callback(self.stage_of_answers.unlink, missing_ok=True)
            self.sketches = table_writer(self.stage, SKETCHES)
            self.answers = AnswersWriter(self.stage_of_answers)
            self.stack.callback(self._close)
        except OSError as error:
            raise RunError(f"cannot write in {self.run.root}: {error.strerror or error}") from error
        self.rejects = self.stack.enter_context(self.run.writer("rejects"))
        return self

    def __exit__(self, *error: object) -> None:
        self.stack.__exit__(*error)  # type: ignore[arg-type]

    def _close(self) -> None:
        for table in (self.sketches, self.answers.writer):
            with suppress(OSError):  # after an error there may be no room for the footer either
                table.close()

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
        with self._writing("answers"):
            self.answers.add(done.answers)
        if done.sketches.num_rows:
            self.pending.append(done.sketches)
            self.pending_rows += done.sketches.num_rows
        if self.pending_rows >= ROW_GROUP:
            self._flush_sketches()

    def _flush_sketches(self) -> None:
        if self.pending:
            with self._writing("sketches"):
                self.sketches.write_table(pa.Table.from_batches(self.pending, SKETCHES))
        self.pending, self.pending_rows = [], 0

    @contextmanager
    def _writing(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RunError(f"cannot write table {name} in {self.run.root}: {error.strerror or error}") from error

    def _flush_rejects(self) -> None:
        columns = zip(*self.rejected, strict=True) if self.rejected else ([], [], [])
        arrays = [pa.array(list(column), field.type) for column, field in zip(columns, REJECTS, strict=True)]
        self.rejects.write_table(pa.Table.from_arrays(arrays, schema=REJECTS))
        self.rejected = []

    def finish(self, paths: list[str]) -> pa.Table:
        """Write what is left, drop duplicates, give the tables their names; the duplicates."""
        self._flush_sketches()
        with self._writing("sketches"):
            self.sketches.close()
        with self._writing("answers"):
            self.answers.close()
        scratch = self.stack.enter_context(self.room.scratch(self.run.root))
        twice = duplicates.find(self.stage, scratch, self.room)
        for source, row in zip(twice["source_id"].to_pylist(), twice["source_row"].to_pylist(), strict=True):
            self.reject(paths[source], [(row, duplicates.REASON)])
        self._flush_rejects()
        with self._writing("sketches"), atomic(self.run.path("sketches")) as out:
            if len(twice):
                duplicates.without(self.stage, twice["place"].to_numpy().astype(np.int64), out)
            else:
                self.stage.replace(out)
        with self._writing("answers"), atomic(self.run.path("answers")) as out:
            if len(twice):
                without(self.stage_of_answers, keys(twice), out)
            else:
                self.stage_of_answers.replace(out)
        exemplars = self.exemplars or Exemplars()
        with duckdb_in(self.room, self.run.root) as (engine, scratch):
            self.run.write("skeletons", exemplars.table([self.run.path("sketches")], engine, scratch))
        return twice
