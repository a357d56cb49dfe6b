"""The live service beside the scorer of honeypotllm, on the same events of a labelled world.

    python benchmarks/live_peer.py [--scale .3] [--seed 7]

Both get the world `demo` in order of time. honeypotllm's scorer is a function in one process that keeps an account's
state in memory; the time is that of its calls alone. The service takes the events over HTTP, checks them, makes them
durable and looks at them while they come; its time is that of all its processes from the first event until everything
has been looked at, and that of taking events in is shown by itself (measured with no looks). *Said*: honeypotllm's
score of .75, from which it marks answers; ours, every decision but `allow` in the policy that ships with the package.
Writes benchmarks/results/live_peer.json.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.peers import venvs
from tests.service.serving import Service

from live import Meter
from stillwatch.worlds import write_world

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results" / "live_peer.json"
ARROW = {"content-type": "application/vnd.apache.arrow.stream"}
ROWS = 500
MARKED = 0.75
NO_LOOKS = "look_seconds = 36000.0\n"


def bodies(world: Path) -> Iterator[bytes]:
    """The world's events in order of time."""
    for path in sorted((world / "events").rglob("*.parquet")):
        day = pq.read_table(path, partitioning=None).sort_by("time")
        for batch in day.combine_chunks().to_batches(ROWS):
            sink = io.BytesIO()
            with pa.ipc.new_stream(sink, batch.schema) as out:
                out.write_batch(batch)
            yield sink.getvalue()


def served(folder: Path, world: Path, *, looks: bool) -> dict[str, Any]:
    """Send everything; CPU seconds of all processes until it is durable, or with looks until it is looked at."""
    words = ["--accounts", world / "accounts.parquet", "--authorisations", world / "authorisations.toml",
             "--context", world]  # fmt: skip
    service = Service(folder, *map(str, words), limits="look_seconds = 20.0\n" if looks else NO_LOOKS)
    try:
        meter = Meter(service)
        meter.settle()
        before, began, start, sent = meter.cpu(), time.monotonic(), os.getloadavg()[0], 0
        for body in bodies(world):
            answer = service.client.post("/v1/events", content=body, headers=ARROW)
            sent += answer.json()["accepted"]
        took = time.monotonic() - began
        while looks and ((status := service.status())["waiting_events"] or status["age_seconds"] is None):
            assert time.monotonic() - began < 1800, status
            time.sleep(0.5)
        cpu = meter.cpu() - before
        found = {
            "events": sent, "cpu_seconds": cpu, "events_a_second_and_core": sent / cpu, "sending_seconds": took,
            "until_all_is_known_seconds": time.monotonic() - began, "looks": service.status()["run"],
            "load_average": [start, os.getloadavg()[0]],
        }  # fmt: skip
        if looks:
            names = pq.read_table(world / "truth" / "accounts.parquet")["account_id"].to_pylist()
            decided = service.client.post("/v1/decisions", json={"accounts": names}).json()["decisions"]
            found["said"] = {one["account"]: one["would"] for one in decided}
            found["levels"] = {name: service.status()[name] for name in ("level_spent", "pending")}
        return found
    finally:
        service.stop()


def scored(world: Path) -> dict[str, Any]:
    """honeypotllm on the same events."""
    python = venvs.python("peers-honeypotllm", own=True)
    done = subprocess.run(
        [python, "-m", "benchmarks.live_scorer", str(world)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = dict(json.loads(done.stdout.splitlines()[-1]))
    return found | {"events_a_second_and_core": found["events"] / found["cpu_seconds"]}


def counted(said: Mapping[str, str], truth: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """What is said, by what accounts are: members of campaigns by campaign, others by label."""
    found: dict[str, Counter[str]] = {}
    for row in truth:
        kind = f"campaign {row['campaign']}" if row["campaign"] else str(row["label"])
        found.setdefault(kind, Counter())[said.get(row["account_id"], "unseen")] += 1
    return {kind: dict(sorted(counts.items())) for kind, counts in sorted(found.items())}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder, world = Path(made), Path(made) / "world"
        write_world("demo", world, scale=asked.scale, seed=asked.seed)
        truth = pq.read_table(world / "truth" / "accounts.parquet").to_pylist()
        peer = scored(world)
        taking, whole = served(folder / "in", world, looks=False), served(folder / "all", world, looks=True)
    marked = {name: "marked" if score >= MARKED else "not marked" for name, score in peer.pop("scores").items()}
    found = {
        "scale": asked.scale, "seed": asked.seed, "accounts": len(truth), "honeypotllm": peer, "taking_in": taking,
        "said": {"honeypotllm": counted(marked, truth), "stillwatch": counted(whole.pop("said"), truth)},
        "with_looks": whole,
    }  # fmt: skip
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
