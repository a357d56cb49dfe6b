"""What a run may take of the machine: sizes are read, threads and folders are kept to, what does not fit spills."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.engine.duckdb import DuckDBEngine
from stillwatch.engine.room import LEAST, Room, size
from stillwatch.engine.runfolder import RunFolder
from stillwatch.errors import RunError, UsageError
from tests.smalllog import SmallLog

TABLES = ("sketches", "summaries", "accounts", "traits", "profiles", "links", "operators", "verdicts", "evidence")


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [
        ("8GB", 8 << 30),
        ("8 GiB", 8 << 30),
        ("8g", 8 << 30),
        ("700mb", 700 << 20),
        ("1.5G", 3 << 29),
        ("1T", 1 << 40),
        (str(1 << 30), 1 << 30),
    ],
)
def test_sizes_are_read(text: str, bytes_: int) -> None:
    assert size(text) == bytes_


@pytest.mark.parametrize("text", ["", "much", "8 GB or so", "-8GB", "8XB", "nan", "0", "100MB", "1e9GB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="memory"):
        size(text)


def test_workers_keep_to_threads_and_memory() -> None:
    assert Room(threads=3).workers() == 3
    assert Room(memory=1 << 30, threads=8).workers() == 4
    assert Room(memory=LEAST, threads=8).workers() == 1
    assert Room(threads=1).workers(5) == 5, "the setting is explicit"
    assert Room().cores == len(os.sched_getaffinity(0))


def test_scratch_is_a_folder_of_its_own_and_goes(tmp_path: Path) -> None:
    room = Room(tmp=tmp_path / "tmp")
    with room.scratch(tmp_path / "run") as one, room.scratch(tmp_path / "run") as two:
        assert one != two
        assert one.parent == two.parent == tmp_path / "tmp"
        (one / "spilt").write_text("x")
    assert list((tmp_path / "tmp").iterdir()) == []
    with Room().scratch(tmp_path / "run") as beside:
        assert beside.parent == tmp_path / "run"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(RunError, match="cannot write temporary files in"), Room().scratch(tmp_path / "file"):
        pass


def test_scratch_of_a_killed_run_goes_when_the_next_begins(tmp_path: Path) -> None:
    left = tmp_path / ".scratch-dead"
    left.mkdir()
    (left / "spilt").write_text("x")
    RunFolder(tmp_path).begin()
    assert not left.exists()


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table whose groups take several times the least memory."""
    path = tmp_path_factory.mktemp("wide") / "wide.parquet"
    with pq.ParquetWriter(path, pa.schema([("key", pa.string())])) as out:
        for part in range(12):
            keys = [f"{number * 7919 % 2_400_000:032d}" for number in range(part * 200_000, (part + 1) * 200_000)]
            out.write_table(pa.table({"key": keys}))
    return path


def test_what_does_not_fit_spills(wide: Path, tmp_path: Path) -> None:
    room = Room(memory=LEAST, threads=2, tmp=tmp_path)
    with room.scratch(tmp_path) as scratch:
        engine = DuckDBEngine(room, scratch)
        table = engine.table(wide)
        found = engine.run(table.group_by("key").agg(n=table.count()).order_by("key"))
        spilt = engine.backend.raw_sql("select sum(size) from duckdb_temporary_files()").fetchone()[0]
        engine.close()
    assert len(found) == 2_400_000
    assert found["key"][0].as_py() == f"{0:032d}"
    assert set(found["n"].to_pylist()) == {1}
    assert spilt is None or spilt >= 0


def test_an_engine_without_room_says_what_helps(wide: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("nothing can spill here")
    engine = DuckDBEngine(Room(memory=64 << 20, threads=2), tmp_path / "file" / "below")
    table = engine.table(wide)
    with pytest.raises(RunError, match=r"--memory.*--threads.*--tmp"):
        engine.run(table.group_by("key").agg(n=table.count()).order_by("key"))
    engine.close()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    small = SmallLog(3)
    small.ordinary(60)
    small.a_ring(8)
    return small.write(tmp_path_factory.mktemp("log"))


def scan(*words: str | Path, expect: int = 0) -> str:
    command = [sys.executable, "-m", "stillwatch", "scan", *map(str, words), "--pseudonyms", "none"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == expect, done.stderr
    return done.stderr


def test_a_scan_in_little_room_finds_the_same(log: Path, tmp_path: Path) -> None:
    spill = tmp_path / "spill"
    spill.mkdir()
    beside = ["--accounts", log / "accounts.parquet"]
    scan(log / "events.parquet", "--out", tmp_path / "wide", *beside)
    little = ["--memory", "256MB", "--threads", "1", "--tmp", spill]
    scan(log / "events.parquet", "--out", tmp_path / "narrow", *beside, *little)
    assert list(spill.iterdir()) == []
    wide, narrow = RunFolder(tmp_path / "wide"), RunFolder(tmp_path / "narrow")
    assert [name for name in TABLES if not narrow.read(name).equals(wide.read(name))] == []
    assert narrow.manifest()["room"] == {"memory": 256 << 20, "threads": 1, "tmp": str(spill)}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--memory", "lots"], "no size of memory"),
        (["--memory", "10MB"], "too little"),
        (["--tmp", "nowhere"], "no such folder"),
    ],
)
def test_wrong_words_are_refused(log: Path, tmp_path: Path, words: list[str], why: str) -> None:
    assert why in scan(log / "events.parquet", "--out", tmp_path / "run", *words, expect=2)
    assert not (tmp_path / "run").exists()
