"""What the guard adds to a request in a real LiteLLM proxy, beside the same proxy without it.

    python benchmarks/live_litellm.py [--requests N]

Two proxies with a mock model that answers at once, one with the guardrail and the logger of
`stillwatch.service.guards.litellm`, one without, and a service with keys. One request after the other over one
connection each, the two proxies in turn and in random order, so that whatever else the machine does meets both.
*Asked*: every request is of an account that was not asked about before, so the guard waits for the service.
*Remembered*: of an account asked about within a second.
Added p50 and p99 are differences of the two proxies' percentiles; intervals are bootstraps of pairs. CPU is what the
proxy's process spent. Writes benchmarks/results/live_litellm.json.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.service.serving import Service, serving
from tests.service.test_litellm import CONFIG, proxy

from stillwatch.service import keys
from stillwatch.service.keys import Role

RESULTS = Path(__file__).parent / "results" / "live_litellm.json"
POINTS = (50, 90, 99)
BARE = CONFIG[: CONFIG.index("guardrails:")] + CONFIG[CONFIG.index("general_settings:") :]
"""The same proxy without guard and logger."""


class Proxy:
    """One of the two, its times and its CPU seconds."""

    def __init__(self, place: str) -> None:
        self.client = httpx.Client(base_url=place, timeout=60, trust_env=False)
        port = int(place.rsplit(":", 1)[1])
        self.process = psutil.Process(
            next(one.pid for one in psutil.net_connections("tcp") if one.status == "LISTEN" and one.laddr.port == port)
        )

    def ask(self, account: str) -> float:
        """Seconds until the answer is there."""
        body = {"model": "small", "messages": [{"role": "user", "content": "What is two and two?"}]}
        start = time.perf_counter()
        answer = self.client.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer sk-{account}"})
        took = time.perf_counter() - start
        assert answer.status_code == 200, answer.text
        return took

    def cpu(self) -> float:
        return sum(self.process.cpu_times()[:2])


def pairs(bare: Proxy, guarded: Proxy, requests: int, accounts: int, seed: int) -> dict[str, Any]:
    """Both proxies in turn; `accounts` is how many take turns, 0 for a new one each time."""
    rng, times, loads = random.Random(seed), [], [os.getloadavg()[0]]
    before = bare.cpu(), guarded.cpu()
    for number in range(requests):
        account = f"acct-{number % accounts}" if accounts else f"new-{seed}-{number}"
        both = [0.0, 0.0]
        for which in rng.sample((0, 1), 2):
            both[which] = (bare, guarded)[which].ask(account)
        times.append(both)
    loads.append(os.getloadavg()[0])
    after = bare.cpu(), guarded.cpu()
    taken = np.array(times) * 1e3
    return {
        "requests": requests, **added(taken, seed),
        "cpu_ms_a_request": {
            "without": (after[0] - before[0]) / requests * 1e3, "with": (after[1] - before[1]) / requests * 1e3,
        },
        "load_average": loads,
    }  # fmt: skip


def added(taken: np.ndarray, seed: int) -> dict[str, Any]:
    """Milliseconds, [pairs, (without, with)] -> percentiles of both and what is added, with 95 % intervals."""
    rng = np.random.default_rng(seed)
    drawn = [taken[rng.integers(0, len(taken), len(taken))] for _ in range(400)]
    found: dict[str, Any] = {}
    for point in POINTS:
        without, beside = (float(np.percentile(taken[:, k], point)) for k in (0, 1))
        again = [float(np.percentile(one[:, 1], point) - np.percentile(one[:, 0], point)) for one in drawn]
        low, high = np.percentile(again, [2.5, 97.5])
        found[f"p{point}"] = {
            "without_ms": without, "with_ms": beside, "added_ms": beside - without, "low": float(low),
            "high": float(high),
        }  # fmt: skip
    return found


def measure(folder: Path, requests: int) -> dict[str, Any]:
    """Both ways."""
    file = folder / "keys.json"
    key = keys.add(file, (Role.VIEWER, Role.INGEST), "proxy")[1]
    with ExitStack() as stack:
        service: Service = stack.enter_context(serving(folder / "service", "--keys", str(file)))
        places = []
        for name, config in (("bare", BARE), ("guarded", CONFIG)):
            (folder / name).mkdir()
            places.append(stack.enter_context(proxy(folder / name, service.url, key, "open", config)))
        bare, guarded = (Proxy(place) for place in places)
        pairs(bare, guarded, 100, 10, 0)
        found = {
            "asked": pairs(bare, guarded, requests, 0, 1),
            "remembered": pairs(bare, guarded, requests, 5, 2),
        }
        deadline = time.monotonic() + 60
        auth = {"authorization": f"Bearer {key}"}
        while (got := service.client.get("/v1/status", headers=auth).json()["received_events"]) < 2 * requests + 100:
            assert time.monotonic() < deadline, got
            time.sleep(0.5)
        return found | {"events_that_the_logger_sent": got}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=1000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        found = measure(Path(made), asked.requests)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
