"""Every stage on Spark gives the rows that it gives on DuckDB, on a real Spark with executors of its own.

The slow run starts a cluster of two workers (`local-cluster`), each with processes of its own for the JVM and for
Python; the fast one keeps to one JVM and to the stages that differ most between engines.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.engine.duckdb import DuckDBEngine
from stillwatch.engine.runfolder import RunFolder
from stillwatch.engine.spark import SparkEngine
from stillwatch.errors import InputError, RunError, UsageError
from stillwatch.ingest import duplicates
from stillwatch.ingest.exemplars import Exemplars, counted
from stillwatch.ingest.sources import open_source
from stillwatch.ingest.spread import ROWS, ingest_spread, row_groups
from stillwatch.linking import traits
from stillwatch.linking.shards import ALONE, Found, Shards
from stillwatch.linking.spread import Cluster
from stillwatch.model import TRAITS
from stillwatch.pipeline import ScanRequest, scan
from stillwatch.signals import all_signals
from stillwatch.signals.summarise import summarise
from tests.linking import test_shards
from tests.signals.builders import START, sketches
from tests.signals.test_contract import any_sketch
from tests.smalllog import SmallLog

JAVA = shutil.which("java") or (Path(os.environ.get("JAVA_HOME", "/nowhere")) / "bin" / "java").exists()
SPARK = importlib.util.find_spec("pyspark")
pytestmark = pytest.mark.skipif(not (JAVA and SPARK), reason="needs the extra `spark` and a Java runtime (17 or newer)")
QUICK = {
    "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2", "spark.default.parallelism": "2",
    "spark.sql.adaptive.enabled": "false", "spark.sql.codegen.wholeStage": "false",
}  # fmt: skip
CLUSTER = "local-cluster[2,1,1024]"
SAME = (
    "sketches",
    "answers",
    "skeletons",
    "rejects",
    "summaries",
    "accounts",
    "traits",
    "profiles",
    "links",
    "verdicts",
)
FAST_VIEWS = ("active_hour", "client", "model_day", "parameters")
"""Texts, whole divisions, dates and fractions: where engines differ by nature."""


@pytest.fixture(scope="module", params=["local[2]", pytest.param(CLUSTER, marks=pytest.mark.slow)])
def spark(request: pytest.FixtureRequest) -> Iterator[SparkEngine]:
    engine = SparkEngine(request.param, settings=QUICK)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def duck() -> Iterator[DuckDBEngine]:
    engine = DuckDBEngine()
    yield engine
    engine.close()


def rows() -> list[dict[str, Any]]:
    """Sketches of every kind, many ids twice, with times and numbers on which engines disagree by nature."""
    rng = random.Random(5)
    out = [any_sketch(seed) for seed in range(400)]
    for number, row in enumerate(out):
        row["event_id"] = f"e{rng.randrange(300)}"
        row["source_row"] = number + 1
        row["account_id"] = rng.choice(["a", "b", "c", "ä|ö", "x' or 1=1 --"])
        row["time"] = START + timedelta(
            hours=rng.randrange(60), microseconds=rng.choice([0, 1, 499_999, 500_001, 999_999])
        )
        row["item"] = rng.choice([None, 0, 4, 2**63, 2**64 - 1])
        row["temperature"] = rng.choice([None, 0.0, 0.1, 0.7, 1.0, 1e-7, 1e20, 2 / 3])
        row["top_p"] = rng.choice([None, 0.95])
        row["max_tokens"] = rng.choice([None, 1, 4096])
        row["output_tokens"] = rng.choice([None, 0, 1, 3, 8, 1000, 2**53 + 1])
        row["user_agent"] = rng.choice([None, "curl", "-", "a|b"])
        row["ja4"] = rng.choice([None, "-", "b"])
    return out


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sketches") / "sketches.parquet"
    pq.write_table(sketches(rows()), path, row_group_size=100)
    return path


def alike(ours: pa.Table, theirs: pa.Table) -> None:
    """Row for row; an engine may have types of its own, but not values."""
    theirs = theirs.select(ours.column_names).cast(ours.schema)
    assert theirs.equals(ours), [
        (name, ours[name].slice(0, 5).to_pylist(), theirs[name].slice(0, 5).to_pylist())
        for name in ours.column_names
        if not ours[name].equals(theirs[name])
    ]


def test_duplicates(spark: SparkEngine, duck: DuckDBEngine, table: Path, tmp_path: Path) -> None:
    ours = duck.run(duplicates.losers(duck.table(table)))
    assert len(ours) > 50
    alike(ours, spark.run(duplicates.losers(spark.table(table))))
    scanned = duplicates.find(table, tmp_path / "scratch").select(["source_id", "source_row"])
    order = [("source_id", "ascending"), ("source_row", "ascending")]
    alike(ours, scanned.sort_by(order))


def test_summaries(spark: SparkEngine, duck: DuckDBEngine, table: Path) -> None:
    ours = duck.run(summarise(duck.table(table), all_signals()))
    alike(ours, spark.run(summarise(spark.table(table), all_signals())))


def test_traits(spark: SparkEngine, duck: DuckDBEngine, table: Path, request: pytest.FixtureRequest) -> None:
    whole = CLUSTER in request.node.name
    both = (traits.from_sketches(engine.table(table)) for engine in (duck, spark))
    seen = 0
    for name, here, there in zip(sorted(traits.TOKENS), *both, strict=True):
        if whole or name in FAST_VIEWS:
            ours = duck.run(here).select(TRAITS.names).cast(TRAITS)
            seen += len(ours)
            alike(ours, spark.run(there))
    assert seen > 100


def test_exemplars(spark: SparkEngine, duck: DuckDBEngine, table: Path, tmp_path: Path) -> None:
    texts = Exemplars()
    for part, column in (("whole", "skeleton"), ("lead", "lead_skeleton"), ("system", "system_skeleton")):
        for value in pq.read_table(table, columns=[column])[column].drop_null().unique().to_pylist():
            texts.texts[part, value] = f"text of {value}", 3
    known = tmp_path / "known.parquet"
    pq.write_table(texts.known(), known)
    ours = duck.run(counted(duck.table(table), duck.table(known)))
    assert len(ours) > 2
    alike(ours, spark.run(counted(spark.table(table), spark.table(known))))


@pytest.mark.parametrize("work", test_shards.WORKS)
def test_blocks_of_linking(
    spark: SparkEngine, tmp_path: Path, work: Callable[[Shards], Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    test_shards.small_blocks(monkeypatch)
    cluster = Cluster(spark, tmp_path)
    for ours, theirs in zip(work(ALONE), work(cluster), strict=True):
        np.testing.assert_array_equal(theirs, ours)
    assert cluster.over(test_shards.squares, {"x": np.arange(2)}, 1)[0][0].tolist() == [0, 1]
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_work_is_dealt_out_in_order(spark: SparkEngine) -> None:
    # what is not part of the package must travel by value
    assert spark.deal(lambda number: str(2 * number).encode(), 5) == [b"0", b"2", b"4", b"6", b"8"]
    assert spark.deal(lambda number: b"", 0) == []
    with pytest.raises(RunError, match=r"Spark failed while working on files.*division"):
        spark.deal(lambda number: bytes(1 // number), 2)


def test_a_file_is_read_in_stretches_of_whole_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"event_id": pa.array(["e"] * (3 * ROWS))}), path, row_group_size=ROWS // 2 + 1)
    stretches = list(row_groups(open_source(0, path, tmp_path, "table")))
    assert [k for one in stretches if one for k in one] == list(range(pq.ParquetFile(path).num_row_groups))
    assert {len(one) for one in stretches if one} <= {1, 2}
    (tmp_path / "log.csv").write_text("event_id\ne\n")
    assert list(row_groups(open_source(0, tmp_path / "log.csv", tmp_path, "table"))) == [None]


def a_log(folder: Path) -> Path:
    """Several files: row groups, JSON lines, rows twice, broken rows, a file nobody can read."""
    small = SmallLog(9)
    small.ordinary(120)
    small.a_ring(12)
    small.write(folder)
    events, logs = pq.read_table(folder / "events.parquet"), folder / "events"
    logs.mkdir()
    cut = len(events) // 2
    pq.write_table(events.slice(0, cut), logs / "a.parquet", row_group_size=300)
    lines = [json.dumps(row, default=str) for row in events.slice(cut).to_pylist()]
    lines[7] = '{"event_id": "broken", "time": "never"}'
    lines[9] = "no json"
    (logs / "b.jsonl").write_text("\n".join(lines) + "\n")
    pq.write_table(events.slice(cut - 40, 80), logs / "c.parquet")
    (logs / "d.parquet").write_bytes(b"PAR1 and nothing else")
    return logs


@pytest.mark.slow
def test_a_whole_scan_is_the_same(tmp_path: Path) -> None:
    logs, runs = a_log(tmp_path), {}
    for name, url in (("duckdb", ""), ("spark", CLUSTER)):
        runs[name] = scan(ScanRequest([logs], tmp_path / name, spark=url))
    ours, theirs = runs["duckdb"], runs["spark"]
    assert len(theirs.parts("sketches")) == len(theirs.parts("answers")) >= 4
    tables = sorted(path.stem for path in ours.root.glob("*.parquet"))
    assert sorted(path.stem for path in theirs.root.glob("*.parquet")) == tables
    for name in tables:
        alike(ours.read(name), theirs.read(name))
        assert theirs.read(name).schema.equals(ours.read(name).schema), name
    mine, other = ours.manifest(), theirs.manifest()
    for key in ("counts", "inputs", "missing_columns", "false_links", "baseline"):
        assert other[key] == mine[key], key
    assert mine["counts"]["duplicates"] > 30
    assert len(mine["counts"]["rejected_by_reason"]) >= 4
    assert (theirs.root / "report.html").exists()


@pytest.mark.slow
def test_a_log_without_events_is_refused_there_too(spark: SparkEngine, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"event_id": "e", "account_id": "a", "model": "m", "time": "never"}\n')
    run = RunFolder(tmp_path / "run")
    run.begin()
    with pytest.raises(InputError, match="every row was rejected"):
        ingest_spread(spark, [tmp_path / "log.jsonl"], run)
    assert list(run.root.iterdir()) == []


def test_one_process_has_one_spark(spark: SparkEngine) -> None:
    with pytest.raises(UsageError, match="runs one at local"):
        SparkEngine("local[7]")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--spark", "nowhere://host"], "Spark at nowhere://host cannot be started or reached"),
        (["--state", "state"], "leave --engine spark out"),
    ],
)
def test_a_cluster_that_cannot_be_had_is_named(tmp_path: Path, words: list[str], why: str) -> None:
    log = SmallLog(2)
    log.ordinary(3)
    log.write(tmp_path)
    command = [
        sys.executable,
        "-m",
        "stillwatch",
        "scan",
        str(tmp_path / "events.parquet"),
        "--out",
        str(tmp_path / "run"),
    ]
    done = subprocess.run(
        [*command, "--engine", "spark", *words], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2, done.stderr
    assert why in done.stderr
    assert "Traceback" not in done.stderr
