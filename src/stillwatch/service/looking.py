"""The slow path: what came is merged into the state and looked at by the same walk as any log, in a process of its own.

Between looks the state is free: `stillwatch scan --state` may forget accounts or write a run of its own.
"""

from __future__ import annotations

import gc
import shutil
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from stillwatch.engine.room import Room, size
from stillwatch.engine.runfolder import MANIFEST, RunFolder
from stillwatch.errors import StillwatchError
from stillwatch.ingest import parcels
from stillwatch.ingest.accounts import Context
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.pipeline import ScanRequest
from stillwatch.service import levels, memory
from stillwatch.service.children import end_with_parent
from stillwatch.service.inbox import Inbox, upto
from stillwatch.service.recognise import build
from stillwatch.service.settings import ServiceSettings
from stillwatch.service.stores import open_store
from stillwatch.settings import Settings
from stillwatch.state import StateRequest, scan_state

RUNS, INBOX = "runs", "inbox"
KNOWN = "known"
"""Folder, beside a run's tables, of what the fast path knows operators by."""


@dataclass(frozen=True)
class Walk:
    """All that a look needs; the same for every look of a service."""

    state: Path
    data: Path
    """Folder of the service: inbox and runs."""
    store: str
    settings: Settings = field(default_factory=Settings)
    pseudonyms: Pseudonyms = field(default_factory=Pseudonyms.none)
    context: Context = field(default_factory=Context)
    limits: ServiceSettings = field(default_factory=ServiceSettings)
    command: str = ""


@dataclass(frozen=True)
class Looked:
    """A look that is done, or why it could not be. Times are seconds since 1970."""

    run: Path | None
    upto: int = 0
    """Number of the newest parcel that the run knows."""
    began_at: float = 0.0
    """What was durable by then is in the run."""
    seconds: float = 0.0
    events: int = 0
    """Of the whole state."""
    merged: int = 0
    trouble: str | None = None


class Looker:
    """Takes look after look."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.inbox = Inbox(walk.data / INBOX, open_store(walk.store))
        self.runs = walk.data / RUNS
        self.runs.mkdir(parents=True, exist_ok=True)

    def look(self) -> Looked | None:
        """Merge what came and look at everything; None if there is nothing new and a run already.

        StillwatchError if it cannot be done now; what came is kept and the next look takes it.
        """
        began = time.time()
        files = self.inbox.fill()
        last = latest(self.runs)
        if not files and (last is not None or not (self.walk.state / "state.json").exists()):
            return None
        run = self.runs / f"{_number(last) + 1:06d}"
        settings = self.walk.settings
        settings = settings.model_copy(update={"ingest": settings.ingest.model_copy(update={"workers": 1})})
        scan = ScanRequest(
            files, run, parcels.FORMAT, self.walk.context, settings, self.walk.pseudonyms, self.walk.command,
            Room(memory=size(self.walk.limits.workers_memory), threads=1),
        )  # fmt: skip
        kept = scan_state(StateRequest(self.walk.state, scan))
        limits, done = self.walk.limits, RunFolder(run)
        stands = levels.after(levels.read(last), levels.seen(done), settings.judging.fdr, shared=limits.share_level)
        stands.write(run)
        build(done, limits.recognise_rate, settings.linking.without, stands.accused).write(run / KNOWN)
        if files:
            self.inbox.empty(files)
        self._sweep()
        return Looked(run, upto(files[-1]) if files else 0, began, time.time() - began, kept.events, kept.merged.events)

    def _sweep(self) -> None:
        """Old runs, and those that a killed process left unfinished."""
        runs = [path for path in sorted(self.runs.iterdir()) if path.name.isdecimal()]
        finished = [path for path in runs if (path / MANIFEST).exists()]
        for path in set(runs) - set(finished[-self.walk.limits.keep_runs :]):
            shutil.rmtree(path, ignore_errors=True)


def latest(runs: Path) -> Path | None:
    """The newest run that was finished."""
    if not runs.is_dir():
        return None
    finished = (p for p in sorted(runs.iterdir(), reverse=True) if p.name.isdecimal() and (p / KNOWN).is_dir())
    return next((path for path in finished if (path / MANIFEST).exists()), None)


def _number(run: Path | None) -> int:
    return 0 if run is None else int(run.name)


def loop(walk: Walk, told: Connection) -> None:
    """What the process does: a look whenever it is time, and the result through `told`. Ends with its parent."""
    end_with_parent("look")
    memory.begin()
    looker: Looker | None = None
    while True:
        began = time.monotonic()
        try:
            looker = looker or Looker(walk)
            done = looker.look()
            gc.collect()
            memory.give_back()
        except (StillwatchError, OSError, MemoryError) as error:
            done = Looked(None, trouble=str(error) or type(error).__name__)
        if done is not None:
            told.send(done)
        took = time.monotonic() - began
        _wait(told, max(walk.limits.look_seconds - took, took if done is not None and done.run else 0.0, 0.05))


def _wait(told: Connection, seconds: float) -> None:
    """Until it is time, or somebody asks for a look at once."""
    if told.poll(seconds):
        told.recv()
