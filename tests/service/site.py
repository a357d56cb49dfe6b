"""The console over a run and a casebook, served by a real server, without the receiver behind it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from stillwatch.decisions import Casebook, Decision, Policy, RunFacts, Snapshot, default_policy, read_facts, snapshot
from stillwatch.service.console import console_routes
from stillwatch.service.keys import Keys, Role, add


class StillSource:
    """A service in which nothing new comes in."""

    def __init__(self, run: Path | None, folder: Path, keys: Keys, policy: Policy | None = None) -> None:
        self.run, self.keys, self.policy = run, keys, policy or default_policy()
        self.book = Casebook.open(folder / "casebook", datetime.now(UTC))
        self.chronicle = folder / "chronicle"
        self.facts: RunFacts | None = None if run is None else read_facts(run)
        self.guesses = 0
        self.snapshot: Snapshot = self._made()

    def _made(self) -> Snapshot:
        now = datetime.now(UTC)
        facts = self.facts or RunFacts(Path(), now, {}, {}, {})
        return snapshot(facts, self.policy, self.book.docket, now)

    def decision(self, account: str, at: datetime) -> Decision:
        return self.snapshot.get(account, at)

    def figures(self) -> dict[str, Any]:
        return {
            "mode": self.snapshot.mode, "accounts": len(self.snapshot), "decided": len(self.snapshot.said),
            "run": self.run.name if self.run else None, "waiting_events": 0, "trouble": None,
            "judged_at": self.snapshot.judged_at if self.run else None,
        }  # fmt: skip

    async def changed(self) -> None:
        self.snapshot = self._made()

    def visited(self, caller: str) -> None:
        pass

    def guessed(self, address: str) -> None:
        self.guesses += 1


def keys_for(folder: Path, **people: Sequence[Role]) -> tuple[Keys, dict[str, str]]:
    """A key file, and the key of each person."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {name: add(folder / "keys.json", tuple(roles), name)[1] for name, roles in people.items()}
    return Keys.load(folder / "keys.json"), made


@contextmanager
def serving_console(source: StillSource) -> Iterator[str]:
    """The URL of the console while the block runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = Starlette(routes=console_routes(source))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not server.started:
        assert time.monotonic() < until
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        source.book.close()
