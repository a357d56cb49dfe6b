"""The stage ingest on a cluster: some row groups of a file are a task, and executors write the parts of the tables.

A task reads, checks and sketches as a worker process on one machine does, writes its parts of `sketches` and `answers`
under the run folder, and sends back what it counted; only that passes through the driver. A task that runs twice writes
the same parts twice, under names that are its own. Both tables are folders of parts then, in the order of the files.
"""

from __future__ import annotations

import os
import pickle
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.engine.room import Room
from stillwatch.engine.runfolder import RunFolder, atomic, table_writer
from stillwatch.engine.spark import SparkEngine
from stillwatch.errors import InputError, RunError
from stillwatch.ingest import duplicates, work
from stillwatch.ingest.accounts import Context
from stillwatch.ingest.answers import AnswersWriter, keys, without
from stillwatch.ingest.exemplars import Exemplars
from stillwatch.ingest.ingest import check_words, opened_sources
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.ingest.readers import UnreadableError, read
from stillwatch.ingest.report import IngestReport
from stillwatch.ingest.sources import Source
from stillwatch.ingest.tally import Tally
from stillwatch.model import REJECTS, SKETCHES
from stillwatch.settings import IngestSettings

ROWS = 1 << 18
"""Rows of a task, unless one row group has more."""
ROW_GROUP = 1 << 17


@dataclass(frozen=True)
class Task:
    """What one executor reads at a time: a file, or some row groups of one."""

    source: Source
    groups: range | None
    columns: set[str] | None

    def absolute(self) -> Task:
        """The same with a path that an executor, who stands in a folder of its own, finds as well."""
        return replace(self, source=replace(self.source, path=self.source.path.resolve()))


@dataclass(frozen=True)
class Found:
    """What a task counted; its sketches lie in its part."""

    done: list[work.Done]
    problem: str | None = None
    """Why nothing of the file could be read."""


def ingest_spread(
    engine: SparkEngine,
    sources: Sequence[str | Path],
    run: RunFolder,
    *,
    format: str = "auto",
    settings: IngestSettings | None = None,
    pseudonyms: Pseudonyms | None = None,
    context: Context | None = None,
) -> IngestReport:
    """Read a log into `run` on a cluster; the rows and the report are those of `ingest`.

    InputError, UsageError and RunError as there; RunError too if Spark fails.
    """
    settings, context = settings or IngestSettings(), context or Context()
    check_words(format, settings)
    opened, ignored = opened_sources(sources, format)
    tally = Tally(opened, settings)
    job = work.Job(settings, pseudonyms or Pseudonyms.none(), context.networks, int(time.time() * 1e6))
    tasks = [Task(source, groups, tally.columns(source)) for source in opened for groups in row_groups(source)]
    exemplars = Exemplars()
    with staged(run) as stage:
        answers = engine.deal(partial(sketch, [task.absolute() for task in tasks], job, stage), len(tasks))
        rejects = list(context.rejects) + _counted(tasks, answers, tally, exemplars)
        if not tally.kept:
            raise InputError(tally.nothing())
        twice = engine.run(duplicates.losers(engine.table(parts(stage.sketches))))
        if len(twice):
            engine.deal(partial(rewrite, twice, stage), len(tasks))
        tally.drop(twice)
        tally.check()
        places = zip(twice["source_id"].to_pylist(), twice["source_row"].to_pylist(), strict=True)
        rejects += [(str(opened[source].path), row, duplicates.REASON) for source, row in places]
        run.write("rejects", _table(rejects))
        stage.sketches.rename(run.path("sketches"))
        stage.answers.rename(run.path("answers"))
    # executors must see what the driver leaves there for them, so it lies in the run folder
    with Room().scratch(run.root) as scratch:
        run.write("skeletons", exemplars.table(run.parts("sketches"), engine, scratch))
    return tally.report(ignored, len(context.rejects))


def _counted(
    tasks: Sequence[Task], answers: Sequence[bytes], tally: Tally, exemplars: Exemplars
) -> list[tuple[str, int, str]]:
    """Take what the tasks found, in the order of the files; the rows that they rejected."""
    rejects: list[tuple[str, int, str]] = []
    for task, answer in zip(tasks, answers, strict=True):
        found: Found = pickle.loads(answer)
        path = str(task.source.path)
        if found.problem is not None:
            rejects.append((path, *tally.unreadable(task.source, UnreadableError(found.problem))))
        for done in found.done:
            tally.count(done)
            exemplars.add(done.skeletons)
            rejects += [(path, row, reason) for row, reason in done.rejects]
    return rejects


@dataclass(frozen=True)
class Stage:
    """Folders in which parts lie until all are there."""

    sketches: Path
    answers: Path


@contextmanager
def staged(run: RunFolder) -> Iterator[Stage]:
    """Empty folders for parts; what was not given a name of its own goes when the block ends."""
    root = run.root.resolve()
    stage = Stage(root / ".sketches.stage.tmp", root / ".answers.stage.tmp")
    try:
        for folder in (stage.sketches, stage.answers):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
    except OSError as error:
        raise RunError(f"cannot write in {run.root}: {error.strerror or error}") from error
    try:
        yield stage
    finally:
        for folder in (stage.sketches, stage.answers):
            shutil.rmtree(folder, ignore_errors=True)


def row_groups(source: Source) -> Iterator[range | None]:
    """Stretches of a Parquet file of about `ROWS` rows; None, the whole, for other files and those nobody can open."""
    if source.container != "parquet" or source.problem:
        yield None
        return
    try:
        with pq.ParquetFile(source.path) as file:
            sizes = [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)]
    except (OSError, pa.ArrowException):
        yield None
        return
    first, rows = 0, 0
    for group, size in enumerate(sizes):
        rows += size
        if rows >= ROWS or group == len(sizes) - 1:
            yield range(first, group + 1)
            first, rows = group + 1, 0
    if not sizes:
        yield None


def sketch(tasks: Sequence[Task], job: work.Job, stage: Stage, number: int) -> bytes:
    """On an executor: read and sketch task `number`, write its parts, and say what was counted (a pickled `Found`)."""
    task, found, problem = tasks[number], list[work.Done](), None
    with part(stage.sketches, number) as path, part(stage.answers, number) as beside, ExitStack() as open_files:
        sketches = open_files.enter_context(table_writer(path, SKETCHES))
        answers = open_files.enter_context(closing(AnswersWriter(beside)))
        try:
            for chunk in read(task.source, job.settings, task.columns, task.groups):
                done = work.process(chunk, job)
                sketches.write_batch(done.sketches, ROW_GROUP)
                answers.add(done.answers)
                found.append(replace(done, sketches=done.sketches.slice(0, 0), answers=done.answers.slice(0, 0)))
        except (UnreadableError, OSError) as error:
            problem = str(error.strerror or error) if isinstance(error, OSError) else str(error)
    return pickle.dumps(Found(found, problem))


def part(folder: Path, number: int) -> AbstractContextManager[Path]:
    """Where to write part `number` of a table; it has its name only once it is whole."""
    # two attempts at one task may run at once, on two machines
    return atomic(folder / f"part-{number:06d}.parquet", f"{os.getpid()}-{time.time_ns():x}")


def parts(folder: Path) -> list[Path]:
    """Parts of a table, in order."""
    return sorted(folder.glob("*.parquet"))


def rewrite(twice: pa.Table, stage: Stage, number: int) -> bytes:
    """On an executor: take the rows of `twice` (source_id, source_row) out of one task's parts."""
    path, beside = (parts(folder)[number] for folder in (stage.sketches, stage.answers))
    gone = keys(twice)
    places = np.flatnonzero(np.isin(keys(pq.read_table(path, columns=["source_id", "source_row"])), gone))
    if len(places):
        with part(stage.sketches, number) as out:
            duplicates.without(path, places, out)
        with part(stage.answers, number) as out:
            without(beside, gone, out)
    return b""


def _table(rejects: list[tuple[str, int, str]]) -> pa.Table:
    columns = zip(*rejects, strict=True) if rejects else ([], [], [])
    arrays = [pa.array(list(column), field.type) for column, field in zip(columns, REJECTS, strict=True)]
    return pa.Table.from_arrays(arrays, schema=REJECTS)
