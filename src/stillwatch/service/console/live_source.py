"""The running service as the console sees it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from stillwatch.decisions import Casebook, Decision, Policy, RunFacts, Snapshot
from stillwatch.engine.runfolder import RunFolder
from stillwatch.service.app import facts
from stillwatch.service.console import chronicle
from stillwatch.service.keys import Keys
from stillwatch.service.live import Live

CHRONICLE = "chronicle"


class LiveSource:
    """`Source` over a `Live`, from whose event loop it is used; every new run goes into the chronicle."""

    def __init__(self, live: Live) -> None:
        self._live = live
        live.adopted.append(self._keep)

    def _keep(self, run: Path, known: RunFacts) -> None:
        chronicle.record(RunFolder(run), known.judged_at, self.chronicle)

    @property
    def keys(self) -> Keys:
        """Who may do what."""
        return self._live.keys

    @property
    def book(self) -> Casebook:
        """What people decided."""
        return self._live.book

    @property
    def policy(self) -> Policy:
        """By which decisions are made."""
        return self._live.setup.policy

    @property
    def run(self) -> Path | None:
        """Folder of the newest run."""
        return self._live.decisions.run

    @property
    def facts(self) -> RunFacts | None:
        """What that run says."""
        return self._live.decisions.facts

    @property
    def snapshot(self) -> Snapshot:
        """Decisions."""
        return self._live.decisions.snapshot

    @property
    def chronicle(self) -> Path:
        """Folder of what each day's last run said."""
        return self._live.walk.data / CHRONICLE

    def decision(self, account: str, at: datetime) -> Decision:
        """What holds for an account, recognised ones included."""
        return self._live.decisions.get(account, at)

    def figures(self) -> dict[str, Any]:
        """Those of the API's status, and when the newest run was finished."""
        judged = self.snapshot.judged_at if self.run is not None else None
        return facts(self._live) | {"judged_at": judged}

    async def changed(self) -> None:
        """Let a change of the casebook hold at once."""
        await self._live.anew()

    def guessed(self, address: str) -> None:
        """ProblemError 429 for an address that goes on guessing keys."""
        self._live.guesses.take(address)

    def visited(self, caller: str) -> None:
        """ProblemError 429 for a key that asks too often."""
        self._live.rates.take(caller)
