"""The walk over a state: forget -> merge -> retire -> compact -> look, each step whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from stillwatch.engine.meter import Meter
from stillwatch.engine.runfolder import RunFolder
from stillwatch.errors import UsageError
from stillwatch.pipeline import ScanRequest
from stillwatch.progress import SILENT, Progress
from stillwatch.state.compact import compact
from stillwatch.state.folder import State, refuse_other_folders
from stillwatch.state.forget import Deleted, forget, retire
from stillwatch.state.lock import locked
from stillwatch.state.look import look
from stillwatch.state.merge import Merged, derive_anew, merge


@dataclass(frozen=True)
class StateRequest:
    """What to do with a state. Every part may be absent: no sources, no accounts to forget, no run."""

    root: Path
    scan: ScanRequest
    """`sources` are merged; `out` is the run's folder if `run`."""
    run: bool = True
    as_of: date | None = None
    forget: Sequence[str] = ()
    retain: int | None = None
    """Days; None takes the settings'."""


@dataclass(frozen=True)
class Kept:
    """What was done, and what the state holds now."""

    run: RunFolder | None
    merged: Merged = field(default_factory=Merged)
    forgotten: Deleted = field(default_factory=Deleted)
    retired: Deleted = field(default_factory=Deleted)
    events: int = 0
    days: int = 0
    asked: int = 0
    """Accounts that were to be forgotten."""
    read: bool = False
    """Whether there was a log to merge."""
    seconds: dict[str, float] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """In words, for a terminal."""
        said = []
        if self.asked:
            said.append(f"forgot   {self.forgotten.events:,} events of {self.forgotten.accounts:,} accounts")
        if self.merged.files:
            said.append(
                f"merged   {self.merged.events:,} events of {self.merged.files:,} files; "
                f"{self.merged.duplicates:,} duplicates dropped"
            )
        elif self.read:
            said.append("merged   nothing: these files were merged before")
        if self.retired.events:
            said.append(f"retired  {self.retired.events:,} events; {self.retired.accounts:,} accounts are gone")
        return [*said, f"state    {self.events:,} events of {self.days:,} days"]


def scan_state(request: StateRequest, progress: Progress = SILENT) -> Kept:
    """Do what is asked of the state; StillwatchError says what the user can mend, and the state is as before."""
    meter, scan = Meter(progress), request.scan
    if request.run and scan.out.resolve().is_relative_to(request.root.resolve()):
        raise UsageError(f"the run folder {scan.out} lies in the state {request.root}: name another one")
    refuse_other_folders(request.root)
    with locked(request.root):
        with meter.stage("checking the state"):
            state = State.open(request.root, scan.pseudonyms)
        derive_anew(state, scan, meter)
        forgotten = forget(state, request.forget, scan.pseudonyms)
        merged = merge(state, scan, meter) if scan.sources else Merged()
        retired = retire(state, scan.settings.state.retain_days if request.retain is None else request.retain)
        compact(state, scan.settings.state.batches, meter)
        run = look(state, scan, request.as_of, meter) if request.run else None
        days = state.contents.days
        return Kept(
            run,
            merged,
            forgotten,
            retired,
            events=sum(days.values()),
            days=len(days),
            asked=len(request.forget),
            read=bool(scan.sources),
            seconds=meter.seconds,
        )
