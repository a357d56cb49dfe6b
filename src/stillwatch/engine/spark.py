"""The engine on a cluster: the same Ibis expressions on Spark, and Python over Arrow batches on its executors.

Executors need this package (and Python of the same version) and must see the log and the run folder under the paths
that the driver names. Spark hashes in its own way, so nothing here hashes for a result: it only deals out work.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from stillwatch.engine.room import Room
from stillwatch.errors import RunError, UsageError

CONNECT = "sc://"
"""How the URL of a Spark Connect server begins; anything else is a master."""
QUIET = Path(__file__).with_name("log4j2.properties")
Batches = Iterator[pa.RecordBatch]


class SparkEngine:
    """Runs expressions on Spark and deals out work to its executors."""

    def __init__(self, url: str, room: Room | None = None, settings: Mapping[str, str] | None = None) -> None:
        """`url`: a master (`local[4]`, `spark://host:7077`, `yarn`) or a Connect server (`sc://host`).

        UsageError if Spark is not installed, or cannot be started or reached. `settings` go to Spark as they are.
        """
        self.session = _session(url, room or Room(), settings or {})
        self.backend = ibis.pyspark.connect(self.session)

    def table(self, path: Path | Sequence[Path]) -> ir.Table:
        """Parquet files of one schema as an Ibis table; unsigned 64-bit numbers are decimals here."""
        paths = [path] if isinstance(path, Path) else path
        name = ibis.util.gen_name("stillwatch")
        with _broken("reading tables"):
            self.session.read.parquet(*(str(one.resolve()) for one in paths)).createOrReplaceTempView(name)
            return self.backend.table(name)

    def run(self, expression: ir.Table) -> pa.Table:
        """The rows of an expression, brought to the driver; RunError if Spark fails."""
        with _broken("working on tables"):
            return self.session.sql(self.backend.compile(expression)).toArrow()

    def deal(self, work: Callable[[int], bytes], count: int) -> list[bytes]:
        """`work(k)` of every k below `count`, each a task of its own on some executor, in order.

        Tasks may run twice, so what they write must not mind.
        """
        if not count:
            return []
        with _broken("working on files"):
            dealt = self.session.range(0, count, 1, count).mapInArrow(_each(work), "id long, out binary").toArrow()
        return list(dealt.sort_by("id")["out"].to_pylist())

    def by_account(
        self, path: Sequence[Path], columns: Sequence[str], work: Callable[[Batches], Batches], schema: pa.Schema
    ) -> pa.Table:
        """`work` over the rows of each of some partitions of the tables; an account's rows lie in one of them.

        `schema` is that of what `work` gives.
        """
        from pyspark.sql.pandas.types import from_arrow_schema

        with _broken("working on accounts"):
            rows = self.session.read.parquet(*(str(one.resolve()) for one in path)).select(*columns)
            dealt = rows.repartition("account_id")
            return dealt.mapInArrow(work, from_arrow_schema(schema)).toArrow().cast(schema)

    def close(self) -> None:
        """End the session: its executors go home."""
        self.session.stop()


def _each(work: Callable[[int], bytes]) -> Callable[[Batches], Batches]:
    def run(batches: Batches) -> Batches:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                out = pa.array([work(number)], pa.binary())
                yield pa.RecordBatch.from_arrays([pa.array([number], pa.int64()), out], ["id", "out"])

    return run


def _session(url: str, room: Room, settings: Mapping[str, str]) -> Any:
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise UsageError("--engine spark needs the extra `spark`: pip install 'stillwatch[spark]'") from error
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    # executors run the Python of their machine's PATH unless told otherwise
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("stillwatch")
    if url.startswith(CONNECT):
        builder = builder.remote(url)
    else:
        builder = builder.master(url).config("spark.driver.memory", f"{room.memory >> 20}m")
        builder = builder.config("spark.ui.showConsoleProgress", "false")
        if "SPARK_CONF_DIR" not in os.environ:
            builder = builder.config("spark.driver.extraJavaOptions", f"-Dlog4j2.configurationFile={QUIET}")
        if room.tmp is not None:
            builder = builder.config("spark.local.dir", str(room.tmp))
    for name, value in {"spark.sql.session.timeZone": "UTC", **settings}.items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
        session.range(1).count()
        running = None if url.startswith(CONNECT) else session.sparkContext.master
    except Exception as error:  # py4j, gRPC and Spark have no error in common
        why = "is there a server at that address?" if url.startswith(CONNECT) else "is Java 17 or newer installed?"
        raise UsageError(f"Spark at {url} cannot be started or reached ({_line(error)}): {why}") from error
    if running not in (None, url):
        raise UsageError(f"Spark at {url} cannot be started: this process runs one at {running} already")
    return session


@contextmanager
def _broken(doing: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        module = type(error).__module__.split(".")[0]
        if module not in ("pyspark", "py4j", "grpc"):
            raise
        raise RunError(f"Spark failed while {doing}: {_line(error)}") from error


def _line(error: Exception) -> str:
    """The line of an error that says why; Spark writes whole stack traces."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if re.match(r"([a-z]+\.)*[A-Za-z]*(Error|Exception): ", line)]
    return (said or lines or [type(error).__name__])[0][:300]
