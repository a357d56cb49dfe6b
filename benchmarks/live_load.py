"""The load of benchmarks/live.py, in a process of its own: bodies as fast as they are taken, look-ups at a given rate.

    python benchmarks/live_load.py ingest URL BODIES SECONDS CONNECTIONS
    python benchmarks/live_load.py lookups URL RATE SECONDS CONNECTIONS

Prints one line of JSON. A look-up's latency counts from the moment at which it was due, so that a service that makes
the load wait cannot hide it; `sent` counts from when it was sent.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import uvloop


async def request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> tuple[int, bytes]:
    writer.write(data)
    head = await reader.readuntil(b"\r\n\r\n")
    fields = head.lower().split(b"\r\n")
    length = next((int(one[15:]) for one in fields if one.startswith(b"content-length:")), 0)
    return int(head[9:12]), await reader.readexactly(length)


def post(host: str, path: str, kind: str, body: bytes) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        + body
    )


async def ingest(url: str, folder: Path, seconds: float, connections: int) -> dict[str, object]:
    place, codes, events = urlsplit(url), Counter[int](), 0
    kinds = {".jsonl": "application/x-ndjson", ".arrow": "application/vnd.apache.arrow.stream"}
    requests = [
        post("localhost", "/v1/events", kinds[one.suffix], one.read_bytes()) for one in sorted(folder.iterdir())
    ]
    times: list[float] = []
    began = time.monotonic()

    async def send(number: int) -> None:
        nonlocal events
        reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=1 << 20)
        at = number
        while time.monotonic() < began + seconds:
            start = time.monotonic()
            code, body = await request(reader, writer, requests[at % len(requests)])
            codes[code] += 1
            if code == 200:
                events += json.loads(body)["accepted"]
                times.append(time.monotonic() - start)
            else:
                await asyncio.sleep(0.05)
            at += connections
        writer.close()

    await asyncio.gather(*(send(number) for number in range(connections)))
    took = time.monotonic() - began
    return {"events": events, "seconds": took, "codes": dict(codes), "latency": spread(times)}


async def lookups(url: str, rate: float, seconds: float, connections: int) -> dict[str, object]:
    place, codes = urlsplit(url), Counter[int]()
    due, sent = [], []
    began = time.monotonic() + 0.5
    total = int(rate * seconds)

    async def ask(first: int) -> None:
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        for number in range(first, total, connections):
            at = began + number / rate
            pause = at - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            start = time.monotonic()
            head = f"GET /v1/decisions/acct-{number % 5000} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()
            code, _ = await request(reader, writer, head)
            end = time.monotonic()
            codes[code] += 1
            due.append(end - max(at, 0.0))
            sent.append(end - start)
        writer.close()

    await asyncio.gather(*(ask(number) for number in range(connections)))
    return {
        "asked": total,
        "seconds": time.monotonic() - began,
        "codes": dict(codes),
        "due": spread(due),
        "sent": spread(sent),
    }


def spread(times: list[float]) -> dict[str, float]:
    """Milliseconds."""
    if not times:
        return {}
    points = {"p50": 50, "p90": 90, "p99": 99, "p99.9": 99.9, "max": 100}
    return {name: round(float(np.percentile(times, at)) * 1e3, 3) for name, at in points.items()}


def main() -> None:
    kind, url, what, seconds, connections = sys.argv[1:6]
    if kind == "ingest":
        work = ingest(url, Path(what), float(seconds), int(connections))
    else:
        work = lookups(url, float(what), float(seconds), int(connections))
    gc.freeze()
    gc.disable()  # its own pauses are not the service's
    print(json.dumps(uvloop.run(work)))


if __name__ == "__main__":
    main()
