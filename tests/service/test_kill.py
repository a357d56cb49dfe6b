"""Killed, short of room, slow: what was acknowledged is there afterwards, and what was not was never promised."""

from __future__ import annotations

import random
import socket
import threading
import time
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest

from stillwatch.ingest.parcels import Parcel
from stillwatch.service.sqlite import SQLiteStore
from tests.service.serving import LINES, Service, event, lines, serving


def stored(folder: Path) -> set[str]:
    """Ids of all events that are kept: in the store, on their way into the state, and in it."""
    store = SQLiteStore(folder / "state.live" / "parcels.sqlite")
    found: set[str] = set()
    after = 0
    while some := store.read(after, 1 << 20):
        after = some[-1].number
        for one in some:
            found.update(Parcel.unpack(one.data).sketches["event_id"].to_pylist())
    store.close()
    for path in [*folder.glob("state.live/inbox/*.parquet"), *folder.glob("state/batches/*/sketches.parquet")]:
        found.update(pq.read_table(path, columns=["event_id"])["event_id"].to_pylist())
    return found


def bombard(service: Service, acknowledged: set[str], stop: threading.Event, thread: int) -> None:
    """Send bodies until the service is gone; note what it acknowledged."""
    number = 0
    with httpx.Client(base_url=service.url, timeout=60) as client:
        while not stop.is_set():
            ids = [f"{thread}-{number}-{n}" for n in range(20)]
            number += 1
            rows = lines([event(n, event_id=id) for n, id in enumerate(ids)])
            try:
                answer = client.post("/v1/events", content=rows, headers={"content-type": LINES})
            except httpx.HTTPError:
                return
            if answer.status_code == 200:
                acknowledged.update(ids)


def killed_while_sending(folder: Path, seconds: float) -> None:
    acknowledged: set[str] = set()
    stop = threading.Event()
    with serving(folder) as service:
        threads = [threading.Thread(target=bombard, args=(service, acknowledged, stop, n)) for n in range(4)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + 60
        while not acknowledged and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(seconds)
        service.kill()
        stop.set()
        for thread in threads:
            thread.join()
    assert acknowledged
    assert acknowledged <= stored(folder)


def test_what_was_acknowledged_is_there_after_kill_9(tmp_path: Path) -> None:
    killed_while_sending(tmp_path, 0.4)


@pytest.mark.slow
def test_what_was_acknowledged_is_there_after_kill_9_at_many_moments(tmp_path: Path) -> None:
    rng = random.Random(0)
    for number in range(15):
        killed_while_sending(tmp_path / str(number), rng.random())


def test_after_a_kill_the_next_start_takes_up_what_was_left(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        service.send([event(number) for number in range(60)])
        service.kill()
    # helpers end with their parent, so the folder is free again
    with serving(tmp_path, limits="look_seconds = 1.0\n") as service:
        found = service.until(120, age_seconds=0.0)
        assert (found["waiting_events"], found["accounts"]) == (0, 7)
        assert found["run"] == "000001"
        with pytest.raises(AssertionError, match="in use by another process"):
            Service(tmp_path)
        assert service.stop() == 0


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with pytest.raises(AssertionError, match="is something else listening there"):
            Service(tmp_path, "--port", port)


def test_a_full_queue_gives_429_and_then_takes_again(tmp_path: Path) -> None:
    limits = "look_seconds = 3600.0\nqueue_bytes = 200000\n"
    with serving(tmp_path, limits=limits) as service:
        data = lines([event(number) for number in range(300)])
        assert 60_000 < len(data) < 200_000
        answers: list[httpx.Response] = []

        def send() -> None:
            answers.append(
                httpx.post(f"{service.url}/v1/events", content=data, headers={"content-type": LINES}, timeout=60)
            )

        threads = [threading.Thread(target=send) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        codes = sorted(answer.status_code for answer in answers)
        assert set(codes) == {200, 429}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status_code == 429)
        assert service.client.post("/v1/events", content=data, headers={"content-type": LINES}).status_code == 200
        assert service.status()["received_events"] == 300 * (codes.count(200) + 1)


def test_a_full_backlog_gives_429(tmp_path: Path) -> None:
    with serving(tmp_path, limits="look_seconds = 3600.0\nbacklog_bytes = 2000\n") as service:
        assert service.send([event(number) for number in range(100)]).status_code == 200
        end = time.monotonic() + 20
        while (answer := service.send([event(1000)])).status_code != 429:
            assert time.monotonic() < end
            time.sleep(0.1)
        assert answer.headers["retry-after"] == "30"
