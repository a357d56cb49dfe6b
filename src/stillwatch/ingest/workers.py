"""Chunks worked off side by side, their results in order and a bounded number in flight.

Columns are worked off in threads: compiled code and Arrow let go of the interpreter, and nothing has to be sent (as
pickles, chunks and results took a third of all that reading took). What comes as text, JSON lines and CSV, keeps the
interpreter busy, and is worked off in processes.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial

import pyarrow as pa

from stillwatch.engine.inorder import in_order, threaded
from stillwatch.engine.room import Room
from stillwatch.errors import RunError
from stillwatch.ingest import parcels, work
from stillwatch.ingest.readers import Chunk
from stillwatch.ingest.sources import Source

SMALL = 24 << 20
"""Bytes of input up to which starting worker processes would take longer than the work."""


def worked(chunks: Iterator[Chunk], job: work.Job, sources: Sequence[Source], room: Room) -> Iterator[work.Done]:
    """Chunks of the sources worked off, in order. RunError if a worker process dies."""
    workers = room.workers(job.settings.workers)
    if workers == 1:
        yield from (work.process(chunk, job) for chunk in chunks)
    elif all(map(_columnar, sources)):
        yield from threaded(partial(work.process, job=job), chunks, workers)
    elif sum(source.bytes for source in sources) < SMALL:
        yield from (work.process(chunk, job) for chunk in chunks)
    else:
        yield from _in_processes(chunks, job, workers)


def _columnar(source: Source) -> bool:
    """Whether its chunks are batches of columns that are cast as columns."""
    return source.container == "parquet" and source.format in ("table", parcels.FORMAT)


def _in_processes(chunks: Iterator[Chunk], job: work.Job, workers: int) -> Iterator[work.Done]:
    methods = multiprocessing.get_all_start_methods()
    start = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:
        start.set_forkserver_preload(["stillwatch.ingest.work"])
    pool = ProcessPoolExecutor(workers, start, initializer=_begin, initargs=(job,))
    try:
        yield from in_order(chunks, lambda chunk: pool.submit(_work, chunk), 2 * workers + 1)
    except BrokenProcessPool as error:
        raise RunError("a worker process died; is memory short? Try --threads 1") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_job: work.Job | None = None


def _begin(job: work.Job) -> None:
    global _job  # noqa: PLW0603  (each worker process has one)
    _job = job
    pa.set_cpu_count(1)


def _work(chunk: Chunk) -> work.Done:
    assert _job is not None
    return work.process(chunk, _job)
