"""How fast the live service is: events in, look-ups, from an event to its effect, and the bare guard.

    python benchmarks/live.py [--seconds N] [--realtime] [--awake] [--only WHAT]

The service is `stillwatch serve` in processes of its own, the load comes from another one over loopback
(`live_load.py`). Events have prompts of 50 words. *Events a second and core* is what was acknowledged, and so durable,
over the CPU seconds that all processes of the service spent: it depends less than the wall clock on who else uses the
machine; the load average is recorded with every figure. The effect is measured on a ring of accounts that a look has
accused: an account that nobody has seen sends one request of the ring's, and its decision is asked for until it says
so. Writes benchmarks/results/live.json.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import psutil
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.service.serving import Service, event, lines
from tests.smalllog import TASK, SmallLog

from live_load import spread
from stillwatch.service.guards.guard import Guard

RESULTS = Path(__file__).parent / "results" / "live.json"
LOAD = Path(__file__).parent / "live_load.py"


class Meter:
    """CPU seconds and memory of the service with all of its processes."""

    def __init__(self, service: Service) -> None:
        self.process = psutil.Process(service.process.pid)

    def family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def cpu(self) -> float:
        return sum(sum(one.cpu_times()[:2]) for one in self.family())

    def settle(self) -> None:
        """Until all processes are up: what they spend on starting is not the load's."""
        until, before = time.monotonic() + 120, self.cpu()
        while time.monotonic() < until:
            time.sleep(2)
            now = self.cpu()
            if now - before < 0.1:
                return
            before = now


def bodies(folder: Path, kind: str, each: int, count: int = 40) -> None:
    rng = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rng.choices(letters, k=rng.randint(2, 10))) for _ in range(5_000)]
    for number in range(count):
        rows = []
        for k in range(each):
            text = " ".join(rng.choices(words, k=50))
            turn = [{"role": "user", "parts": [{"type": "text", "content": text}]}]
            account = f"acct-{rng.randrange(5000)}"
            rows.append(event(number * each + k, account_id=account, messages=orjson.dumps(turn).decode()))
        if kind == "jsonl":
            (folder / f"{number:03d}.jsonl").write_bytes(lines(rows))
        else:
            sink = io.BytesIO()
            table = pa.Table.from_pylist(rows)
            with pa.ipc.new_stream(sink, table.schema) as out:
                out.write_table(table)
            (folder / f"{number:03d}.arrow").write_bytes(sink.getvalue())


def load(*words: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, LOAD, *map(str, words)], stdout=subprocess.PIPE, text=True)


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    told = process.communicate()[0]
    if process.returncode:
        raise SystemExit("the load failed")
    return dict(json.loads(told))


def busy() -> list[float]:
    return [round(one, 2) for one in os.getloadavg()]


def measure_ingest(folder: Path, seconds: float) -> dict[str, Any]:
    found = {}
    for kind, each, connections in (("jsonl", 500, 4), ("arrow", 500, 4), ("jsonl", 20, 16)):
        with tempfile.TemporaryDirectory(dir=folder) as made:
            bodies(Path(made), kind, each)
            service = Service(
                Path(made) / "s", limits="look_seconds = 36000.0\nrequests_per_second = 1e6\nburst = 1000000\n"
            )
            (Path(made) / "b").mkdir()
            for path in Path(made).glob(f"*.{kind}"):
                path.rename(Path(made) / "b" / path.name)
            meter = Meter(service)
            meter.settle()
            before, start = meter.cpu(), busy()
            told = result(load("ingest", service.url, Path(made) / "b", seconds, connections))
            cpu = meter.cpu() - before
            kept = service.status()["received_events"]
            service.stop()
        told |= {
            "events_a_second": told["events"] / told["seconds"], "cpu_seconds": cpu,
            "acknowledged_is_durable": kept == told["events"],
            "events_a_second_and_core": told["events"] / cpu, "load_average": [start, busy()],
        }  # fmt: skip
        found[f"{kind}, {each} a body, {connections} connections"] = told
        print(
            json.dumps({kind: {k: told[k] for k in ("events_a_second", "events_a_second_and_core", "codes")}}),
            flush=True,
        )
    return found


@contextmanager
def awake(wanted: bool) -> Iterator[None]:
    """A loop on each core that runs only where nobody else does: a virtual core that sleeps takes a while to wake."""
    spin = "import os\nos.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\nwhile True: pass"
    loops = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(os.cpu_count() or 1) if wanted]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def measure_lookups(folder: Path, rate: float, seconds: float, realtime: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    service = Service(folder / "lookups", limits="look_seconds = 36000.0\nrequests_per_second = 1e6\nburst = 1000000\n")
    try:
        meter = Meter(service)
        meter.settle()
        for name in ("idle", "while events come in"):
            other = None
            if name != "idle":
                (folder / "b").mkdir(exist_ok=True)
                bodies(folder / "b", "jsonl", 100)
                other = load("ingest", service.url, folder / "b", seconds + 2, 1)
                time.sleep(1)
            before, start = meter.cpu(), busy()
            asking = load("lookups", service.url, rate, seconds, 32)
            if realtime:
                for process in (service.process, asking):
                    for thread in os.listdir(f"/proc/{process.pid}/task"):  # a lock may be held by any of them
                        os.sched_setscheduler(int(thread), os.SCHED_FIFO, os.sched_param(1))
            told = result(asking) | {"realtime": realtime}
            found[name] = told | {
                "cpu_share": (meter.cpu() - before) / told["seconds"],
                "load_average": [start, busy()],
            }
            if other is not None:
                found[name]["events_a_second_meanwhile"] = (x := result(other))["events"] / x["seconds"]
            print(name, json.dumps(found[name]), flush=True)
    finally:
        service.stop()
    return found


def measure_effect(folder: Path, newcomers: int) -> dict[str, Any]:
    log = SmallLog(1)
    log.ordinary(300)
    log.a_ring(30)
    log.write(folder / "log")
    words = ["--accounts", str(folder / "log" / "accounts.parquet")]
    service = Service(folder / "effect", *words, limits="look_seconds = 30.0\n")
    try:
        rows = log.events
        began = time.monotonic()
        for at in range(0, len(rows), 1000):
            service.send(rows[at : at + 1000])
        sent = time.monotonic()
        while not (status := service.status())["decided"] or status["waiting_events"]:
            time.sleep(0.2)
            assert time.monotonic() - sent < 600, status
        looked = time.monotonic() - sent
        time.sleep(2)
        times, start = [], busy()
        ring = sorted(log.ring)
        like = {name: next(row for row in rows if row["account_id"] == name) for name in ring}
        for number in range(newcomers):
            text = TASK + log.phrase(20, 40)
            turn = orjson.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]}]).decode()
            new = {
                **like[ring[number % len(ring)]],
                "event_id": f"n{number}",
                "account_id": f"new-{number}",
                "messages": turn,
            }
            at = time.monotonic()
            assert service.send([new]).status_code == 200
            while service.client.get(f"/v1/decisions/new-{number}").json()["would"] == "allow":
                time.sleep(0.01)
                assert time.monotonic() - at < 60
            times.append(time.monotonic() - at)
        guards = asyncio.run(measure_guard(service.url))
        return {
            "events": len(rows), "sending_seconds": sent - began, "until_the_look_decides_seconds": looked,
            "look_seconds": service.status()["look_seconds"], "event_to_effect_ms": spread(times),
            "newcomers": newcomers,
            "guard": guards, "load_average": [start, busy()],
        }  # fmt: skip
    finally:
        service.stop()


async def measure_guard(url: str) -> dict[str, Any]:
    found = {}
    for name, cache in (("asked each time", -1.0), ("cached a second", 1.0)):
        guard, times = Guard(url, cache_seconds=cache, timeout=5.0), []
        await guard.check("warm")
        for number in range(2000):
            start = time.perf_counter()
            await guard.check(f"acct-{number % 50}")
            times.append(time.perf_counter() - start)
        await guard.close()
        found[name] = spread(times) | {"failed": guard.counts["failed_open"]}
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=2000.0)
    parser.add_argument("--newcomers", type=int, default=30)
    parser.add_argument("--realtime", action="store_true", help="Look-ups before all else, on a busy machine (Linux).")
    parser.add_argument("--awake", action="store_true", help="Keep the cores from sleeping during look-ups (Linux).")
    parser.add_argument("--only", default="ingest,lookups,effect")
    asked = parser.parse_args()
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    found["cores"] = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name, work in (
            ("ingest", lambda: measure_ingest(folder, asked.seconds)),
            ("lookups", lambda: measure_lookups(folder, asked.rate, asked.seconds, asked.realtime)),
            ("effect", lambda: measure_effect(folder, asked.newcomers)),
        ):
            if name in asked.only.split(","):
                plain = name == "lookups" and not asked.realtime
                kept = "lookups, no right of way" if plain else name
                kept += ", cores awake" if name == "lookups" and asked.awake else ""
                with awake(name == "lookups" and asked.awake):
                    found[kept] = work()
                print(kept, json.dumps(found[kept], indent=1), flush=True)
                RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
