"""Looking again and again at one level: which of a run's accusations the service stands by.

Whoever looks every minute at a level of .01 is wrong more often than once in a hundred. So the looks share the level
as those of a replay do (`judging.sequential`): a look may accuse anew only what its own share of the level allows, and
all shares, however many looks there will be, add up to less than the stated level.

The run itself stays what a scan of the same log would say: its tables are no less true because somebody looked before.
What the service does about it needs more. An operator that the run accuses, and the service does not yet, is *pending*:
it is shown and monitored, no rule for the accused applies to it, and the fast path does not know it.

The clock by which shares are dealt out is the log's: a day that has events, or a doubling of the log, counts as one.
Any clock that does not look ahead would do for the sum; this one gives the first hours, in which a log grows fast, and
late, slow days about the same. Looks between two steps of it accuse nobody new.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.engine.runfolder import RunFolder
from stillwatch.errors import RunError
from stillwatch.judging.sequential import Spending
from stillwatch.model import Verdict

FILE = "level.json"
"""Beside a run's tables."""
STEP = 0.5
"""Least time, by the clock, between two looks that may accuse anew."""
FEW = 1_000
"""Events up to which the clock stands still: nobody can be accused by so few, and doublings are cheap there."""
SPENDING = Spending(half_life=14.0)


@dataclass(frozen=True)
class Levels:
    """What was spent up to a look, and whom the service accuses since."""

    days: int = 0
    """Days with events that were seen, each once, whether they are still kept or not."""
    newest: date | None = None
    clock: float = 0.0
    """The furthest that the clock has come."""
    last: float = 0.0
    """The clock at the last look that could accuse anew."""
    level: float = 0.0
    """What this look may accuse anew at; 0 if it may not."""
    spent: float = 0.0
    """Sum of all levels so far; never as much as the stated one while they are shared."""
    record: tuple[str, ...] = ()
    """Operators ever accused."""
    accused: tuple[str, ...] = ()
    """Of this run: those that the service accuses."""
    pending: tuple[str, ...] = ()
    """Of this run: those that only the run accuses."""

    def write(self, run: Path) -> None:
        """Beside the run's tables."""
        told = self.__dict__ | {"newest": None if self.newest is None else self.newest.isoformat()}
        (run / FILE).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def read(run: Path | None) -> Levels:
    """What `Levels.write` wrote; a run without it, or none, has spent nothing. RunError if it is damaged."""
    if run is None or not (run / FILE).exists():
        return Levels()
    try:
        told: dict[str, Any] = json.loads((run / FILE).read_text(encoding="utf-8"))
        newest = None if told["newest"] is None else date.fromisoformat(told["newest"])
        names = {name: tuple(told[name]) for name in ("record", "accused", "pending")}
        return Levels(**(told | names | {"newest": newest}))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{run / FILE} cannot be read: what was spent on earlier looks is not known") from error


@dataclass(frozen=True)
class Seen:
    """A finished run, as far as the levels go."""

    days: frozenset[date]
    newest: datetime
    """Newest event."""
    events: int
    fdr: dict[str, float] = field(default_factory=dict)
    """Operators that the run accuses, with their false-discovery rates."""


def seen(run: RunFolder) -> Seen:
    """From the run's tables."""
    days = pc.unique(run.read("summaries", ["day"])["day"].cast(pa.date32())).to_pylist()
    verdicts = run.read("verdicts", ["operator_id", "verdict", "fdr", "events", "last_seen"])
    guilty = verdicts.filter(pc.equal(verdicts["verdict"], Verdict.UNAUTHORISED_DISTILLATION.value)).to_pylist()
    fdr = {row["operator_id"]: row["fdr"] for row in guilty}
    return Seen(frozenset(days), pc.max(verdicts["last_seen"]).as_py(), pc.sum(verdicts["events"]).as_py(), fdr)


def after(before: Levels, run: Seen, level: float, *, shared: bool = True) -> Levels:
    """What the service stands by after a look, given what it stood by before; `level` is that of all looks.

    shared: False lets every look accuse at the whole level.
    """
    days = before.days + sum(before.newest is None or day > before.newest for day in run.days)
    newest = max([*run.days, *([before.newest] if before.newest else [])], default=None)
    clock = max(before.clock, _clock(days, run))
    if not shared:
        mine, last = level, before.last
    elif clock - before.last >= STEP:
        mine, last = level * (SPENDING.spent_at(clock) - SPENDING.spent_at(before.last)), clock
    else:
        mine, last = 0.0, before.last
    record = set(before.record)
    accused = {name for name, fdr in run.fdr.items() if name in record or fdr <= mine}
    return Levels(
        days, newest, clock, last, mine, before.spent + mine, tuple(sorted(record | accused)), tuple(sorted(accused)),
        tuple(sorted(run.fdr.keys() - accused)),
    )  # fmt: skip


def _clock(days: int, run: Seen) -> float:
    """Days of the log up to its newest event, and how often it has doubled."""
    into = run.newest - datetime.combine(run.newest.date(), time(), run.newest.tzinfo)
    return max(0, days - 1) + into / timedelta(days=1) + max(0.0, math.log2(max(run.events, 1) / FEW))
