"""The store: durable, in order, each number once, and no damage goes unnoticed."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from stillwatch.errors import UsageError
from stillwatch.service.commit import Committer
from stillwatch.service.sqlite import SQLiteStore
from stillwatch.service.store import Store, StoreError, Waiting
from stillwatch.service.stores import open_store

POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))[-1:]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL of its own, where there is one to be started."""
    if not POSTGRES:
        pytest.skip("no PostgreSQL on this machine")
    folder, bin = tmp_path_factory.mktemp("pg"), POSTGRES[0].parent
    data, socket = folder / "data", folder / "s"
    socket.mkdir()
    as_user = [] if os.geteuid() else ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]
    if as_user:
        for path in (folder, socket):
            shutil.chown(path, "postgres")
        for parent in [*folder.parents][:3]:
            parent.chmod(parent.stat().st_mode | 0o011)
    made = [*as_user, bin / "initdb", "-D", data, "-A", "trust", "-U", "postgres"]
    subprocess.run(made, check=True, capture_output=True)
    server = subprocess.Popen(
        [*as_user, bin / "postgres", "-D", data, "-k", socket, "-c", "listen_addresses=", "-c", "fsync=on"],
        stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    for _ in range(300):
        if (socket / ".s.PGSQL.5432").exists():
            break
        time.sleep(0.1)
    time.sleep(1)
    yield f"postgresql://postgres@/postgres?host={socket}"
    server.terminate()
    server.wait()


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(request.getfixturevalue("database")) if request.param == "postgres" else str(tmp_path / "parcels.sqlite")


def test_parcels_come_back_in_order_and_go_when_they_are_dropped(where: str) -> None:
    store, other = open_store(where), open_store(where)
    start = store.waiting().last
    last = store.append([(bytes([n]) * 100, n) for n in range(10)])
    assert last == start + 10
    assert [one.number for one in other.read(start, 1 << 20)] == list(range(start + 1, last + 1))
    assert [one.data for one in other.read(start, 150)] == [bytes([n]) * 100 for n in range(2)]
    assert [one.number for one in other.read(last - 1, 1)] == [last]
    waiting = other.waiting()
    assert (waiting.parcels, waiting.events, waiting.bytes, waiting.last) == (10, 45, 1000, last)
    other.drop(last - 3)
    assert [one.number for one in store.read(0, 1 << 20)] == [last - 2, last - 1, last]
    other.drop(last)
    assert store.waiting() == Waiting(last=last)
    store.close()
    # a number is never given twice, also after everything was dropped and the store was opened anew
    again = open_store(where)
    assert again.append([(b"x", 1)]) == last + 1
    again.drop(last + 1)
    again.close()
    other.close()


def test_damage_is_found(tmp_path: Path) -> None:
    path = tmp_path / "parcels.sqlite"
    store = SQLiteStore(path)
    store.append([(b"one" * 50, 1), (b"two" * 50, 1)])
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("update parcels set data = ? where number = 2", (b"tw0" * 50,))
    assert store.read(0, 1)[0].data == b"one" * 50
    with pytest.raises(StoreError, match="parcel 2 in the store is damaged"):
        store.read(0, 1 << 20)
    store.close()
    path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(StoreError):
        SQLiteStore(path)


def test_a_full_disk_is_said_and_nothing_is_half_kept(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "parcels.sqlite")
    store.append([(b"a" * 1000, 1)])
    pages = store.db.execute("pragma page_count").fetchone()[0]
    store.db.execute(f"pragma max_page_count = {pages + 2}")  # SQLite says then what it says on a full disk
    with pytest.raises(StoreError, match="cannot take more"):
        store.append([(b"b" * 1000, 1), (b"c" * 100_000, 1)])
    assert [one.data for one in store.read(0, 1 << 20)] == [b"a" * 1000]
    store.db.execute("pragma max_page_count = 100000")
    assert store.append([(b"d" * 1000, 1)]) == 2
    store.close()


def test_a_store_is_a_path_or_a_url() -> None:
    with pytest.raises(UsageError, match="a path or a postgresql"):
        open_store("redis://nowhere")


class Slow:
    """A disk that takes its time, and then one that is full."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.groups: list[int] = []
        self.busy, self.full = threading.Event(), False

    def append(self, parcels: Sequence[tuple[bytes, int]]) -> int:
        self.busy.set()
        time.sleep(0.1)
        if self.full:
            raise StoreError("no room")
        self.kept += [data for data, _ in parcels]
        self.groups.append(len(parcels))
        return len(self.kept)

    def read(self, after: int, most_bytes: int) -> list[object]:
        raise NotImplementedError

    drop = waiting = close = read


def test_what_comes_while_the_disk_is_busy_is_committed_together() -> None:
    slow = Slow()
    committer = Committer(slow)  # type: ignore[arg-type]

    async def send() -> list[int]:
        first = asyncio.create_task(committer.keep(b"0", 1))
        await asyncio.to_thread(slow.busy.wait)
        return [*await asyncio.gather(*(committer.keep(str(n).encode(), 1) for n in range(1, 50))), await first]

    numbers = asyncio.run(send())
    assert slow.groups == [1, 49]
    assert numbers == [50] * 49 + [1]
    assert sorted(slow.kept) == sorted(str(n).encode() for n in range(50))
    slow.full = True

    async def refused() -> None:
        with pytest.raises(StoreError, match="no room"):
            await committer.keep(b"more", 1)

    asyncio.run(refused())
    assert committer.trouble == "no room"
    committer.stop()


def test_what_was_asked_for_before_the_end_is_committed(tmp_path: Path) -> None:
    store: Store = open_store(str(tmp_path / "parcels.sqlite"))
    committer = Committer(store)

    async def send() -> None:
        waiting = [asyncio.ensure_future(committer.keep(b"x", 1)) for _ in range(20)]
        await asyncio.sleep(0)
        await asyncio.to_thread(committer.stop)
        await asyncio.gather(*waiting)

    asyncio.run(send())
    assert store.waiting().parcels == 20
    store.close()
