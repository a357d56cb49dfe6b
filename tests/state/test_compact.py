"""A state whose batches are laid together is the state of the same merges without that."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.errors import StillwatchError
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.settings import Settings
from stillwatch.state import Kept, StateRequest, scan_state
from stillwatch.state.folder import State
from tests.smalllog import START
from tests.state.days import (
    BEFORE_LINKING,
    again,
    at_once,
    by_reason,
    from_days,
    pieces,
    report_of,
    request,
    rows_of,
    same,
    write,
)  # fmt: skip
from tests.state.test_forget import files, held, listed
from tests.state.test_kill import Killed, dying

__all__ = ["dying"]
few = settings(
    max_examples=2, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def merge(state: Path, batches: int, *sources: Path, **more: object) -> Kept:
    """Merge a log into a state whose days may have so many batches; no run."""
    chosen = Settings.model_validate({"state": {"batches": batches}})
    return scan_state(StateRequest(state, request(sources, state, settings=chosen), run=False, **more))  # type: ignore[arg-type]


def batches_of(root: Path) -> list[tuple[date | None, int]]:
    """Newest day and rows of each batch."""
    return [(max(one.days, default=None), one.rows) for one in State.open(root, Pseudonyms.none()).batches]


def check_alike(folder: Path, seed: int, count: int, most: int) -> None:
    """The same cuts, with and without laying together; then an account is forgotten, and days go."""
    rng = random.Random(seed)
    rows = rows_of(seed)
    rows += again(rows, rng)
    many, few_ = folder / "many", folder / "few"
    for k, part in enumerate(pieces(rows, rng, count)):
        file = write(part, folder / f"{k}.parquet")
        counts = [merge(root, most_, file).merged for root, most_ in ((many, 0), (few_, most))]
        assert counts[0] == counts[1]
    alike(many, few_, folder / "1", rng)
    assert len(batches_of(few_)) < len(batches_of(many)) == count
    expected, report = at_once([write(rows, folder / "all.parquet")], folder / "whole")
    same(from_days(few_, folder / "run"), expected)
    assert report_of(few_).counts["duplicates"] == report.counts["duplicates"]
    account = rng.choice(rows)["account_id"]
    gone = [merge(root, most_, forget=(account,)).forgotten for root, most_ in ((many, 0), (few_, most))]
    assert gone[0] == gone[1]
    assert gone[0].accounts == 1
    assert account.encode() not in held(few_)
    alike(many, few_, folder / "2", rng)
    retired = [merge(root, most_, retain=5).retired for root, most_ in ((many, 0), (few_, most))]
    assert retired[0] == retired[1]
    assert retired[0].events > 0
    alike(many, few_, folder / "3", rng)
    assert files(few_) == listed(few_) | {"lock", "state.json"}


def alike(many: Path, few_: Path, out: Path, rng: random.Random) -> None:
    """Two states give the same tables now and as of a day before, and the same counts."""
    day = START.date() + timedelta(days=rng.randrange(10, 13))
    for number, until in enumerate((None, day)):
        mine = from_days(few_, out / f"few{number}", until)
        same(mine, from_days(many, out / f"many{number}", until))
        assert set(mine) == set(BEFORE_LINKING)
        tables = [pq.read_table(out / f"{name}{number}" / "rejects.parquet") for name in ("few", "many")]
        assert by_reason(tables[0]) == by_reason(tables[1])
        texts = [pq.read_table(out / f"{name}{number}" / "skeletons.parquet") for name in ("few", "many")]
        assert texts[0].equals(texts[1])
    one, two = report_of(few_), report_of(many)
    assert one.counts == two.counts
    assert (one.missing_columns, one.unknown_columns) == (two.missing_columns, two.unknown_columns)
    assert _inputs(few_) == _inputs(many)


def _inputs(root: Path) -> list[list[object]]:
    found = [[value for name, value in sorted(read.items()) if name != "id"] for read in report_of(root).inputs]
    return sorted(found, key=str)


@few
@given(seed=st.integers(0, 10**6), count=st.integers(4, 5), most=st.integers(1, 2))
def test_batches_laid_together_are_the_batches(
    seed: int, count: int, most: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    check_alike(tmp_path_factory.mktemp("alike"), seed, count, most)


@pytest.mark.slow
@settings(few, max_examples=40)
@given(seed=st.integers(10**6, 10**9), count=st.integers(5, 14), most=st.integers(1, 6))
def test_many_batches_laid_together_are_the_batches(
    seed: int, count: int, most: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    check_alike(tmp_path_factory.mktemp("alike"), seed, count, most)


def test_a_day_has_no_more_batches_than_it_may(tmp_path: Path) -> None:
    """However often it is merged; a file that is known is still known, and leads back to its rows."""
    rows = sorted(rows_of(7, accounts=4), key=lambda row: row["time"])
    days = sorted({row["time"].date() for row in rows})[-2:]
    parts = [[row for row in rows if row["time"].date() == day] for day in days]
    paths, held_ = [], []
    for number, part in enumerate(parts):
        size = -(-len(part) // 7)
        for k in range(0, len(part), size):
            paths.append(write(part[k : k + 3], tmp_path / f"{number}-{k}.parquet"))
            merge(tmp_path / "state", 4, paths[-1])
            held_.append(batches_of(tmp_path / "state"))
    assert len(paths) >= 10
    assert max(sum(1 for day, _ in found if day == one) for found in held_ for one in days) == 4
    assert sum(1 for day, _ in held_[-1] if day == days[0]) <= 2
    before = (tmp_path / "state" / "state.json").read_bytes()
    assert merge(tmp_path / "state", 4, *paths).merged.files == 0
    assert (tmp_path / "state" / "state.json").read_bytes() == before
    from_days(tmp_path / "state", tmp_path / "run")
    logs = {
        read["id"]: pq.read_table(read["path"])["event_id"].to_pylist() for read in report_of(tmp_path / "state").inputs
    }
    assert sorted(logs) == list(range(len(paths)))
    for table in ("sketches", "answers"):
        found = pq.read_table(tmp_path / "run" / f"{table}.parquet", columns=["event_id", "source_id", "source_row"])
        assert found.num_rows
        for row in found.to_pylist():
            assert logs[row["source_id"]][row["source_row"] - 1] == row["event_id"]


def test_dead_at_every_step_of_laying_together(dying: Callable[[int], None], tmp_path: Path) -> None:
    rows = rows_of(12, accounts=3)
    parts = [write(rows[k::4] + rows[:5], tmp_path / f"{k}.parquet") for k in range(4)]
    expected, report = at_once(parts, tmp_path / "whole")
    state, died, rng = tmp_path / "state", 0, random.Random(1)
    for part in parts:
        merge(state, 0, part)
    assert len(batches_of(state)) == 4
    number = 0
    while True:
        dying(number)
        try:
            merge(state, 1)
        except (Killed, StillwatchError):
            died += 1
            number += rng.randint(1, 3)
        else:
            break
        finally:
            dying(10**9)
    assert died >= 9
    assert len(batches_of(state)) == 1
    same(from_days(state, tmp_path / "run"), expected)
    for name in ("rows_in", "kept", "rejected", "duplicates"):
        assert report_of(state).counts[name] == report.counts[name], name
    assert files(state) == listed(state) | {"lock", "state.json"}
