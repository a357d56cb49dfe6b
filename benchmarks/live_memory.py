"""What every process of the live service holds, over half an hour of steady traffic.

    python benchmarks/live_memory.py [--minutes 30] [--rate 50] [--look 60] [--day 0 --retain 0] [--out FILE]

The service is `stillwatch serve` with its own limits, the load is this process over loopback: new events all the time
(25 a body, prompts of 50 words, from 5,000 accounts) and twice as many look-ups. Every five seconds the memory that is
each process's own (USS) is noted, with how many events had come. *Flat* is judged over the last two thirds: the slope
by least squares, its 95 % interval from blocks of two minutes (values a few seconds apart are not independent).
A look holds what it looks at, so the process that looks is shown by itself, as the least and the most in each block.
With `--day SECONDS --retain DAYS` the events' days go by so fast and old ones are dropped: once the first have gone, as
many events leave the state as come, and what still grows does so for another reason than that the state grows.
Writes benchmarks/results/live_memory.json.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import psutil
from scipy.stats import t as student

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.service.serving import Service, event, lines

RESULTS = Path(__file__).parent / "results" / "live_memory.json"
EACH = 25
"""Events a body."""
ACCOUNTS = 5_000
BLOCK = 120.0
"""Seconds of a block."""
SAMPLE = 5.0
DAY = 86_400.0


class Traffic:
    """Bodies of new events, and look-ups."""

    def __init__(self, service: Service, day: float) -> None:
        self.day, self.began = day, time.time()
        self.client = httpx.Client(base_url=service.url, timeout=120)
        self.rng = random.Random(0)
        letters = "abcdefghijklmnopqrstuvwxyz"
        self.words = ["".join(self.rng.choices(letters, k=self.rng.randint(2, 10))) for _ in range(5_000)]
        self.events = self.lookups = 0

    def row(self) -> dict[str, Any]:
        self.events += 1
        text = " ".join(self.rng.choices(self.words, k=50))
        turn = orjson.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]}]).decode()
        account = f"acct-{self.rng.randrange(ACCOUNTS)}"
        return event(self.events, account_id=account, time=self._now(), messages=turn)

    def _now(self) -> float:
        """Seconds since 1970, or on a calendar whose days go by in `day` seconds and which began 300 days ago."""
        if not self.day:
            return time.time()
        return self.began - 300 * DAY + (time.time() - self.began) * DAY / self.day

    def body(self) -> None:
        """One body and twice as many look-ups as it has events."""
        rows = lines([self.row() for _ in range(EACH)])
        answer = self.client.post("/v1/events", content=rows, headers={"content-type": "application/x-ndjson"})
        assert answer.status_code == 200, answer.text
        for _ in range(2 * EACH):
            self.lookups += 1
            self.client.get(f"/v1/decisions/acct-{self.rng.randrange(ACCOUNTS)}").raise_for_status()


def held(process: psutil.Process) -> dict[str, float]:
    """Mebibytes that are each process's own, by its name; helpers of a helper count with it."""
    found: dict[str, float] = defaultdict(float)
    for one in (process, *process.children()):
        name = "front" if one is process else one.name().removeprefix("stillwatch-")
        for part in (one, *(one.children(recursive=True) if one is not process else [])):
            try:
                found[name] += part.memory_full_info().uss / 2**20
            except psutil.Error:  # it ended meanwhile
                continue
    return dict(found)


def slope(at: np.ndarray, values: np.ndarray) -> dict[str, float]:
    """Mebibytes a minute over the last two thirds, with a 95 % interval from the means of blocks."""
    late = at >= at[-1] / 3
    block = (at[late] // BLOCK).astype(int)
    x = np.array([at[late][block == one].mean() / 60 for one in np.unique(block)])
    y = np.array([values[late][block == one].mean() for one in np.unique(block)])
    if len(x) < 4:
        return {"a_minute": float(np.polyfit(x, y, 1)[0]), "low": float("nan"), "high": float("nan")}
    (rise, start), rest = np.polyfit(x, y, 1), len(x) - 2
    error = np.sqrt(((y - rise * x - start) ** 2).sum() / rest / ((x - x.mean()) ** 2).sum())
    width = float(student.ppf(0.975, rest)) * error
    return {"a_minute": float(rise), "low": float(rise - width), "high": float(rise + width)}


def measure(folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """The series, and how fast each process grows."""
    minutes, rate = asked.minutes, asked.rate
    settings = folder / "settings.toml"
    settings.write_text(f"[state]\nretain_days = {asked.retain}\nbatches = {asked.batches}\n", encoding="utf-8")
    service = Service(folder, "--settings", str(settings), limits=f"look_seconds = {asked.look}\n")
    process, series, loads = psutil.Process(service.process.pid), [], [os.getloadavg()[0]]
    try:
        traffic, began, sampled = Traffic(service, asked.day), time.monotonic(), 0.0
        while (now := time.monotonic() - began) < minutes * 60:
            due = traffic.events / rate
            if due > now:
                time.sleep(min(due - now, 0.2))
            else:
                traffic.body()
            if now - sampled >= SAMPLE:
                sampled = now
                series.append({"at": round(now, 1), "events": traffic.events, **held(process)})
                loads.append(os.getloadavg()[0])
        status = service.status()
        root = json.loads((folder / "state" / "state.json").read_text(encoding="utf-8"))
    finally:
        service.stop()
    at = np.array([one["at"] for one in series])
    names = sorted({name for one in series for name in one} - {"at", "events"})
    columns = {name: np.array([one.get(name, 0.0) for one in series]) for name in names}
    columns["all but look"] = sum(columns[name] for name in names if name != "look")
    columns["all"] = sum(columns[name] for name in names)
    return {
        "minutes": minutes, "look_every": asked.look, "day_seconds": asked.day, "retain_days": asked.retain,
        "batches": len(root["batches"]), "files_read": sum(len(one["report"]["inputs"]) for one in root["batches"]),
        "events": traffic.events, "lookups": traffic.lookups, "looks": status["run"],
        "look_seconds": status["look_seconds"], "waiting_events": status["waiting_events"],
        "slopes": {name: slope(at, values) for name, values in columns.items()},
        "look": blocks(at, columns.get("look", np.zeros(len(at)))),
        "load_average": {"least": min(loads), "median": float(np.median(loads)), "most": max(loads)},
        "series": {"at": at.tolist(), **{name: np.round(column, 2).tolist() for name, column in columns.items()}},
    }  # fmt: skip


def blocks(at: np.ndarray, values: np.ndarray) -> list[dict[str, float]]:
    """Least and most of each block."""
    numbers = (at // BLOCK).astype(int)
    return [
        {"minute": one * BLOCK / 60, "least": float(values[numbers == one].min()),
         "most": float(values[numbers == one].max())}
        for one in np.unique(numbers)
    ]  # fmt: skip


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=50.0, help="Events a second.")
    parser.add_argument("--look", type=float, default=60.0, help="Seconds from look to look.")
    parser.add_argument("--day", type=float, default=0.0, help="Seconds in which a day of the events goes by.")
    parser.add_argument("--retain", type=int, default=0, help="Days that the state keeps; 0 keeps all.")
    parser.add_argument("--batches", type=int, default=8, help="Batches of a day in the state; 0 keeps all.")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        found = measure(Path(made), asked)
    asked.out.write_text(json.dumps(found) + "\n")
    print(json.dumps({name: value for name, value in found.items() if name != "series"}, indent=1))


if __name__ == "__main__":
    main()
