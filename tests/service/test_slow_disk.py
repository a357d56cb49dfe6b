"""A disk that takes its time, and one that fails: really so, for every fsync of a real service (`slow_disk.c`)."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.service.serving import LINES, Service, event, lines, serving
from tests.service.test_kill import bombard, stored

SOURCE = Path(__file__).with_name("slow_disk.c")


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler on this machine")
    made = tmp_path_factory.mktemp("shim") / "slow_disk.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, SOURCE, "-ldl"], check=True)
    return made


class Disk:
    """How often it was flushed, and whether it is broken."""

    def __init__(self, folder: Path, shim: Path, ms: int) -> None:
        self.count, self.broken = folder / "flushes", folder / "broken"
        self.env = {
            "LD_PRELOAD": str(shim), "SLOW_DISK_MS": str(ms), "SLOW_DISK_COUNT": str(self.count),
            "SLOW_DISK_BROKEN": str(self.broken),
        }  # fmt: skip

    def flushes(self) -> int:
        return self.count.stat().st_size if self.count.exists() else 0


@contextmanager
def on_a_slow_disk(
    folder: Path, shim: Path, ms: int, limits: str = "look_seconds = 3600.0\n"
) -> Iterator[tuple[Service, Disk]]:
    disk = Disk(folder, shim, ms)
    with serving(folder, limits=limits, env=disk.env) as service:
        yield service, disk


def figure(service: Service, name: str) -> float:
    found = [line for line in service.client.get("/metrics").text.splitlines() if line.startswith(f"{name} ")]
    return float(found[0].rsplit(" ", 1)[1])


@pytest.mark.slow
def test_bodies_share_a_slow_flush_and_look_ups_do_not_wait_for_it(tmp_path: Path, shim: Path) -> None:
    with on_a_slow_disk(tmp_path, shim, 700) as (service, disk):
        answers: list[int] = []

        def send(thread: int) -> None:
            for number in range(3):
                rows = [event(n, event_id=f"{thread}-{number}-{n}") for n in range(5)]
                answers.append(service.send(rows).status_code)

        before = disk.flushes()
        threads = [threading.Thread(target=send, args=(n,)) for n in range(12)]
        for thread in threads:
            thread.start()
        meanwhile = 0
        while any(thread.is_alive() for thread in threads):
            assert service.client.get("/v1/decisions/account-1").status_code == 200
            meanwhile += 1
        for thread in threads:
            thread.join()
        flushes = disk.flushes() - before
        assert answers == [200] * 36
        assert flushes >= 3  # the disk was asked, and each sender has waited for it three times
        assert flushes < 36
        # had each look-up waited for a flush, there would be hardly more of them than of those
        assert meanwhile > 3 * flushes
        service.until(120, received_events=180)
        assert figure(service, "stillwatch_commits") < 36


@pytest.mark.slow
def test_what_a_slow_disk_acknowledged_is_there_after_kill_9(tmp_path: Path, shim: Path) -> None:
    acknowledged: set[str] = set()
    stop = threading.Event()
    with on_a_slow_disk(tmp_path, shim, 300) as (service, disk):
        threads = [threading.Thread(target=bombard, args=(service, acknowledged, stop, n)) for n in range(4)]
        for thread in threads:
            thread.start()
        while len(acknowledged) < 100:
            assert any(thread.is_alive() for thread in threads)
        service.kill()
        stop.set()
        for thread in threads:
            thread.join()
        assert disk.flushes()
    assert acknowledged <= stored(tmp_path)


@pytest.mark.slow
def test_what_a_slow_disk_cannot_take_is_turned_away_and_not_piled_up(tmp_path: Path, shim: Path) -> None:
    data = lines([event(number) for number in range(300)])
    limits = f"look_seconds = 3600.0\nqueue_bytes = {3 * len(data)}\n"
    with on_a_slow_disk(tmp_path, shim, 700, limits) as (service, _):
        answers: list[httpx.Response] = []

        def send() -> None:
            answers.append(
                httpx.post(f"{service.url}/v1/events", content=data, headers={"content-type": LINES}, timeout=120)
            )

        threads = [threading.Thread(target=send) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        codes = [answer.status_code for answer in answers]
        assert set(codes) == {200, 429}
        assert all(answer.headers["retry-after"] for answer in answers if answer.status_code == 429)
        assert service.send([event(1000)]).status_code == 200


def test_a_disk_that_fails_is_said_and_taken_again_once_it_is_well(tmp_path: Path, shim: Path) -> None:
    with on_a_slow_disk(tmp_path, shim, 0) as (service, disk):
        assert service.send([event(1)]).status_code == 200
        disk.broken.touch()
        refused = service.send([event(2, event_id="refused")])
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert service.client.get("/healthz").status_code == 503
        assert service.client.get("/v1/decisions/account-1").status_code == 200
        disk.broken.unlink()
        assert service.send([event(3, event_id="taken")]).status_code == 200
        assert service.client.get("/healthz").status_code == 200
        service.kill()
    assert "taken" in stored(tmp_path)
