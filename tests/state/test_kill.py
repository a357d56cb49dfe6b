"""Killed at any point, the next start goes on as if nothing had been: nothing is lost, nothing is counted twice."""

from __future__ import annotations

import errno
import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stillwatch.cli import main
from stillwatch.engine.runfolder import RunFolder
from stillwatch.errors import StillwatchError
from stillwatch.pipeline import ScanRequest
from stillwatch.state import StateRequest, scan_state
from tests.smalllog import SmallLog
from tests.state.days import at_once, from_days, merge, report_of, rows_of, same, write
from tests.state.test_forget import files, held, listed


class Killed(BaseException):
    """No handler of the program may catch it."""


def full() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


STEPS = ("replace", "rename", "fsync", "unlink", "rmdir")
"""Calls by which a change of the folder becomes real."""


@pytest.fixture(params=[Killed, full], ids=["killed", "full"])
def dying(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Callable[[int], None]]:
    """Let the n-th step from now, and every one after it, raise: what `finally` would tidy up stays as it is."""
    left = [10**9]

    def wrapped(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise request.param()
            return real(*args, **named)

        return step

    for name in STEPS:
        monkeypatch.setattr(os, name, wrapped(getattr(os, name)))

    def after(steps: int) -> None:
        left[0] = steps

    yield after
    after(10**9)


def test_dead_at_every_step_of_a_merge_and_of_forgetting(dying: Callable[[int], None], tmp_path: Path) -> None:
    rows = rows_of(12, accounts=3)
    first, second = write(rows[::2], tmp_path / "1.parquet"), write(rows[1::2] + rows[:5], tmp_path / "2.parquet")
    account = rows[0]["account_id"]
    left = [row for row in rows if row["account_id"] != account]
    expected, _ = at_once([write(left, tmp_path / "left.parquet")], tmp_path / "whole")
    rng, number = random.Random(0), 0
    merge(tmp_path / "clean", first)
    merge(tmp_path / "clean", second)
    merge(tmp_path / "clean", forget=(account,))
    counts = report_of(tmp_path / "clean").counts
    state, died = tmp_path / "state", 0
    calls: list[Callable[[], object]] = [
        lambda: merge(state, first), lambda: merge(state, second), lambda: merge(state, forget=(account,)),
    ]  # fmt: skip
    for call in calls:
        number = 0
        while True:
            dying(number)
            try:
                call()
            except (Killed, StillwatchError):
                died += 1
                number += rng.randint(2, 16)
            else:
                break
            finally:
                dying(10**9)
        call()
    assert died >= 9
    same(from_days(state, tmp_path / "run"), expected)
    assert report_of(state).counts == counts
    assert files(state) == listed(state) | {"lock", "state.json"}
    assert account.encode() not in held(state)


# --- a real process -------------------------------------------------------------------------------------------------


FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["stillwatch.cli", "stillwatch.state", "stillwatch.pipeline"])
"""Processes begin with all modules loaded: else most moments at which they are killed are moments of an import."""


def words(file: Path, state: Path, out: Path) -> list[str]:
    laid_together = ["--settings", str(file.with_name("settings.toml"))]
    return ["scan", str(file), *laid_together, "--state", str(state), "--out", str(out), "--pseudonyms", "none"]


def command_line(said: Path, arguments: list[str]) -> None:
    """The command line in a process of its own; what it says goes to a file."""
    os.setsid()
    sys.stdout = sys.stderr = said.open("w")
    sys.argv = ["stillwatch", *arguments]
    main()


def begun(said: Path, arguments: list[str]) -> ForkServerProcess:
    one = FORKED.Process(target=command_line, args=(said, arguments))
    one.start()
    return one


def ended(said: Path, arguments: list[str]) -> None:
    """Run it to its end, which must be a good one."""
    one = begun(said, arguments)
    one.join()
    assert one.exitcode == 0, said.read_text()


def killed(said: Path, arguments: list[str], after: float) -> bool:
    """Start a process, and kill it after some seconds; whether it had not ended before."""
    one = begun(said, arguments)
    one.join(after)
    if one.exitcode is not None:
        return False
    assert one.pid is not None
    os.kill(one.pid, signal.SIGKILL)
    one.join()
    return one.exitcode == -signal.SIGKILL


def kill_often(tmp_path: Path, times: int, seed: int, parts: int) -> None:
    log = SmallLog(seed)
    log.ordinary(20)
    rng = random.Random(seed)
    rows = sorted(log.events, key=lambda row: row["time"])
    days = [write(rows[k::parts] + rows[:9], tmp_path / f"{k}.parquet") for k in range(parts)]
    (tmp_path / "settings.toml").write_text("[state]\nbatches = 1\n", encoding="utf-8")
    said = tmp_path / "said.txt"
    ended(said, words(days[0], tmp_path / "warm", tmp_path / "run-warm"))
    started = time.monotonic()
    ended(said, words(days[0], tmp_path / "first", tmp_path / "run-first"))
    length = time.monotonic() - started
    hits = 0
    while hits < times:
        state = tmp_path / f"state{hits}"
        for file in days:
            whole = words(file, state, tmp_path / "run")
            for _ in range(rng.randint(2, 2 + parts)):
                # most of the moments in the merge: a run folder that is unfinished is only made again
                hits += killed(said, whole if rng.random() < 0.4 else whole[:-4] + whole[-2:], rng.random() * length)
            ended(said, whole)
        expected, report = at_once(days, tmp_path / "whole")
        same(from_days(state, tmp_path / "days"), expected)
        assert report_of(state).counts == report.counts
        assert files(state) == listed(state) | {"lock", "state.json"}
        again = scan_state(StateRequest(tmp_path / f"one{hits}", ScanRequest(list(days), tmp_path / "at-once"))).run
        assert again is not None
        for name in ("links", "evidence"):
            assert _bits(RunFolder(tmp_path / "run"), name).equals(_bits(again, name)), name


def _bits(run: RunFolder, name: str) -> pa.Table:
    table = run.read(name)
    return table.drop_columns(["operator_id"]) if "operator_id" in table.column_names else table


def test_killed_at_a_few_moments(tmp_path: Path) -> None:
    kill_often(tmp_path, 3, 1, 2)


@pytest.mark.slow
def test_killed_at_a_hundred_moments(tmp_path: Path) -> None:
    kill_often(tmp_path, 100, 2, 4)
