"""Live is batch: whatever cuts, orders, repetitions and deaths lie between the events and the last look."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.engine.runfolder import RunFolder
from stillwatch.errors import RunError
from stillwatch.ingest.accounts import load_context
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.pipeline import ScanRequest, scan
from stillwatch.service.inbox import Inbox
from stillwatch.service.looking import Looker, Walk, latest
from stillwatch.service.reading import Reading, read
from stillwatch.service.settings import ServiceSettings
from stillwatch.service.sqlite import SQLiteStore
from stillwatch.service.store import Store
from stillwatch.settings import Settings
from stillwatch.state.lock import locked
from tests.service.serving import body, event, reading
from tests.state.days import again, by_reason, write
from tests.state.test_merge import AFTER, up_to_ids
from tests.test_replay import tiny

NAMES = Pseudonyms.keyed(b"a key of thirty-two bytes, or so")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(tmp_path_factory.mktemp("tiny"))


def walk(small: Path, folder: Path, **limits: Any) -> Walk:
    context = load_context(
        accounts=small / "accounts.parquet", authorisations=small / "authorisations.toml", context=small,
        pseudonyms=NAMES,
    )  # fmt: skip
    store = str(folder / "parcels.sqlite")
    return Walk(folder / "state", folder, store, Settings(), NAMES, context, ServiceSettings(**limits))


def sent(rows: list[Any], how: Reading, store: Store, rng: random.Random) -> None:
    """Rows as bodies of random sizes."""
    at = 0
    while at < len(rows):
        size = rng.choice([1, 7, 40, 300, 2000])
        found = read(body(rows[at : at + size]), how)
        if found.parcel is not None:
            store.append([(found.parcel, found.kept)])
        at += size


def check_live(small: Path, folder: Path, seed: int, looks: int) -> None:
    rng = random.Random(seed)
    rows: list[Any] = pq.read_table(small / "events.parquet").to_pylist()
    rows += again(rows, rng, 0.03)
    rows += [event(number, account_id=None) for number in range(20)]
    order = rng.choice(["as it comes", "by time", "backwards"])
    rng.shuffle(rows)
    if order != "as it comes":
        rows.sort(key=lambda row: str(row["time"]), reverse=order == "backwards")
    wanted = walk(small, folder)
    how = Reading(wanted.settings.ingest, NAMES, wanted.context.networks, wanted.limits)
    store = SQLiteStore(folder / "parcels.sqlite")
    cuts = sorted(rng.randrange(1, len(rows)) for _ in range(looks - 1))
    done = None
    for start, end in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        sent(rows[start:end], how, store, rng)
        done = Looker(wanted).look() or done  # each look in a process that has just started, as after a death
    assert done is not None
    assert done.run is not None
    assert store.waiting().parcels == 0
    good = [row for row in rows if row["account_id"] is not None]
    log = write(good, folder / "log.parquet")
    expected = scan(ScanRequest([log], folder / "whole", context=wanted.context, pseudonyms=NAMES))
    same_run(RunFolder(done.run), expected)
    mine, theirs = RunFolder(done.run).manifest()["counts"], expected.manifest()["counts"]
    assert mine["kept"] == theirs["kept"]
    assert mine["duplicates"] == theirs["duplicates"] > 100
    assert mine["verdicts"] == theirs["verdicts"]
    reasons = by_reason(RunFolder(done.run).read("rejects"))
    assert reasons["duplicate event_id"] == mine["duplicates"]
    assert 0 < reasons["no account_id"] <= 20  # but for bodies of which nothing could be used, which were refused


def same_run(mine: RunFolder, theirs: RunFolder) -> None:
    pairs = zip(theirs.read("operators")["operator_id"].to_pylist(), mine.read("operators")["operator_id"].to_pylist(),
                strict=True)  # fmt: skip
    ids = dict(pairs)
    assert len(set(ids.values())) == len(ids)
    for name in ("summaries", "accounts", "traits", "profiles", *AFTER):
        up_to_ids(mine.read(name), theirs.read(name), ids)


few = settings(
    max_examples=1, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@few
@given(seed=st.integers(0, 10**6))
def test_the_live_verdict_after_the_last_event_is_the_batch_verdict(
    seed: int, small: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    check_live(small, tmp_path_factory.mktemp("live"), seed, 2)


@pytest.mark.slow
@settings(few, max_examples=12)
@given(seed=st.integers(10**6, 10**9), looks=st.integers(1, 5))
def test_many_live_verdicts_are_batch_verdicts(
    seed: int, looks: int, small: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    check_live(small, tmp_path_factory.mktemp("live"), seed, looks)


# --- the inbox ------------------------------------------------------------------------------------------------------


def parcel(*numbers: int) -> tuple[bytes, int]:
    found = read(body([event(number) for number in numbers]), reading())
    assert found.parcel is not None
    return found.parcel, found.kept


def test_a_parcel_is_laid_down_once_whenever_the_process_ends(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "parcels.sqlite")
    inbox = Inbox(tmp_path / "inbox", store)
    store.append([parcel(1, 2), parcel(3)])
    (first,) = inbox.fill()
    content = first.read_bytes()
    store.append([parcel(4)])
    # ended before the merge: the same file is found again, what came later has one of its own
    one, two = Inbox(tmp_path / "inbox", store).fill()
    assert (one, one.read_bytes()) == (first, content)
    assert [pq.read_metadata(path).num_rows for path in (one, two)] == [3, 1]
    # ended after the store had dropped them and before the files had gone
    store.drop(3)
    assert Inbox(tmp_path / "inbox", store).fill() == [one, two]
    inbox.empty([one, two])
    assert inbox.fill() == []
    (tmp_path / "inbox" / ".half.parquet.tmp").write_bytes(b"x")
    Inbox(tmp_path / "inbox", store)
    assert list((tmp_path / "inbox").iterdir()) == []
    store.append([parcel(5)])
    (three,) = inbox.fill()
    assert three.name == "000000000004-000000000004.parquet"


def test_a_look_that_cannot_be_done_loses_nothing(tmp_path: Path) -> None:
    wanted = Walk(tmp_path / "state", tmp_path, str(tmp_path / "parcels.sqlite"))
    store = SQLiteStore(tmp_path / "parcels.sqlite")
    looker = Looker(wanted)
    assert looker.look() is None  # nothing came yet
    assert latest(tmp_path / "runs") is None
    store.append([parcel(*range(1, 80))])
    with locked(tmp_path / "state"), pytest.raises(RunError, match="in use by another process"):
        looker.look()
    store.append([parcel(*range(60, 100))])
    done = looker.look()
    assert done is not None
    assert done.run == latest(tmp_path / "runs")
    assert (done.events, done.merged) == (99, 99)
    assert looker.look() is None  # and nothing came since
    assert store.waiting().parcels == 0
    assert not list((tmp_path / "inbox").iterdir())
