"""What the console asks of the service it is part of; tests give it a run and a casebook without one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from stillwatch.decisions import Casebook, Decision, Policy, RunFacts, Snapshot
from stillwatch.service.keys import Keys


class Source(Protocol):
    """Read from the event loop; what it returns is never changed in place."""

    @property
    def keys(self) -> Keys:
        """Who may do what."""

    @property
    def book(self) -> Casebook:
        """What people decided."""

    @property
    def policy(self) -> Policy:
        """By which decisions are made."""

    @property
    def run(self) -> Path | None:
        """Folder of the newest run; None before the first."""

    @property
    def facts(self) -> RunFacts | None:
        """What that run says of each account."""

    @property
    def snapshot(self) -> Snapshot:
        """Decisions."""

    @property
    def chronicle(self) -> Path:
        """Folder in which the console keeps what each day's last run said."""

    def decision(self, account: str, at: datetime) -> Decision:
        """What holds for an account."""

    def figures(self) -> dict[str, Any]:
        """Live figures by name, for the strip at the top."""

    async def changed(self) -> None:
        """The casebook was changed: let it hold."""

    def guessed(self, address: str) -> None:
        """Somebody gave a key that is none; ProblemError if too often."""

    def visited(self, caller: str) -> None:
        """Somebody asks for a page; ProblemError if too often."""
