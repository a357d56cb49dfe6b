"""A real service in a process of its own, and bodies to send to it."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson

from stillwatch.ingest.addresses import Networks
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.service.reading import Body, Reading
from stillwatch.service.settings import ServiceSettings
from stillwatch.settings import IngestSettings

LINES = "application/x-ndjson"
STARTING = 120.0
"""Seconds; processes start slowly on a busy machine."""


def event(number: int, **changes: Any) -> dict[str, Any]:
    row = {
        "event_id": f"event-{number}", "time": 1_760_000_000 + number, "account_id": f"account-{number % 7}",
        "model": "model-1", "client_address": f"192.0.2.{number % 250}", "max_tokens": 64, "temperature": 0.5,
        "messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": f"Ask thing {number} now"}]}]),
    }  # fmt: skip
    return {**row, **changes}


def lines(rows: Sequence[Any]) -> bytes:
    return b"".join(orjson.dumps(row, default=str) + b"\n" for row in rows)


def reading(names: Pseudonyms | None = None, **limits: Any) -> Reading:
    return Reading(IngestSettings(), names or Pseudonyms.none(), Networks(), ServiceSettings(**limits))


def body(rows: Sequence[Any], **more: Any) -> Body:
    return Body("events", LINES, "", lines(rows), **more)


class Service:
    """`stillwatch serve` as a user would start it."""

    def __init__(self, folder: Path, *words: str, limits: str = "look_seconds = 3600.0\n", env: Any = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "limits.toml").write_text(limits, encoding="utf-8")
        self.folder, self.log = folder, folder / "log.txt"
        command = [Path(sys.executable).with_name("stillwatch"), "serve", "--state", folder / "state", "--port", "0",
                   "--limits", folder / "limits.toml", *words]  # fmt: skip
        if "--pseudonyms" not in words and "--key-file" not in words:
            command += ["--pseudonyms", "none"]
        with self.log.open("ab") as out:
            start = out.tell()
            self.process = subprocess.Popen(
                [str(word) for word in command], stderr=out, stdout=out, env={**os.environ, **(env or {})}
            )
        self.url = self._listening(start)
        self.client = httpx.Client(base_url=self.url, timeout=60)

    def _listening(self, start: int) -> str:
        until = time.monotonic() + STARTING
        while time.monotonic() < until and self.process.poll() is None:
            for line in self.said(start):
                if line.get("what") == "serving":
                    return str(line["url"])
            time.sleep(0.05)
        self.process.kill()
        raise AssertionError(self.log.read_text(encoding="utf-8"))

    def said(self, start: int = 0) -> list[dict[str, Any]]:
        """Lines of the log."""
        written = self.log.read_bytes()[start:].splitlines()
        return [orjson.loads(line) for line in written if line.startswith(b"{") and line.endswith(b"}")]

    def send(self, rows: Sequence[Any], kind: str = LINES, **more: Any) -> httpx.Response:
        return self.client.post("/v1/events", content=lines(rows), headers={"content-type": kind}, **more)

    def status(self) -> dict[str, Any]:
        return dict(self.client.get("/v1/status").json())

    def until(self, seconds: float = 60.0, **wanted: Any) -> dict[str, Any]:
        """The status once it is as wanted."""
        end = time.monotonic() + seconds
        while True:
            found = self.status()
            if all(found[name] == value for name, value in wanted.items()):
                return found
            assert time.monotonic() < end, found
            time.sleep(0.1)

    def kill(self) -> None:
        """Power gone: no process of it gets to say anything."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


@contextmanager
def serving(folder: Path, *words: str, **more: Any) -> Iterator[Service]:
    service = Service(folder, *words, **more)
    try:
        yield service
    finally:
        if service.process.poll() is None:
            service.stop()


def zipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)
