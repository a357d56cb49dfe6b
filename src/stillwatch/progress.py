"""How a long stage says how far it is; the command line shows it, libraries pass `SILENT`. And what is left of a scan.

What is left is forecast from the part that is done. Reading tells how many bytes and events there are, and how fast the
machine is: what they would have taken where the plan was fitted, against what they took. The stages after it take so
many seconds for a million events, or for each second of a stage before them. Measured by `benchmarks/scale.py`
(docs/performance.md says how far forecasts are off).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol


class Progress(Protocol):
    """Told of each stage and each step; must be cheap and must never raise."""

    def stage(self, name: str, total: int | None = None) -> None:
        """A stage begins; `total` units of work, or None if unknown."""

    def advance(self, units: int = 1, events: int = 0) -> None:
        """Some units of the current stage are done, and so many events of the log with them."""


class _Silent:
    def stage(self, name: str, total: int | None = None) -> None:
        pass

    def advance(self, units: int = 1, events: int = 0) -> None:
        pass


SILENT: Progress = _Silent()

READING = "reading and sketching"


EVENTS = "events"


class Part(NamedTuple):
    """What a stage takes: seconds in any case, and for each million `EVENTS` or each second of a stage before it."""

    fixed: float
    ratio: float
    of: str = READING


class Reading(NamedTuple):
    """What reading takes where the plan was fitted: seconds a million events, and a GiB."""

    million: float
    gibibyte: float
    bytes: float
    """Of an event of a Parquet file with text."""


READ = Reading(2.3, 30.0, 140.0)
SCAN: Mapping[str, Part] = {
    READING: Part(0.0, 1.0),
    "looking for duplicates": Part(0.5, 0.03),
    "summaries": Part(0.2, 0.03),
    "traits": Part(0.5, 0.13),
    "profiles": Part(0.2, 0.16),
    "linking": Part(0.5, 2.6, "traits"),
    "streams": Part(0.3, 1.4, "profiles"),
    "judging": Part(0.5, 0.9, "profiles"),
    "report": Part(4.5, 0.4, "profiles"),
}
"""Stages of a scan in order. Long prompts are read slowly and link no slower than short ones, so what comes after
traits and profiles is told by these once they are done."""
FIRST = 0.02
"""Share of the reading before which nothing is said."""
STEPS = 4
"""Steps of the reading before which nothing is said: the first waits for code to be compiled or loaded."""
SURE = 0.1
"""Share of a stage from which its own pace says all about its end."""


class _Log(NamedTuple):
    """Seconds of reading it, and millions of events, each counted as much more as this machine is slower."""

    reading: float
    worth: float

    @classmethod
    def of(cls, seconds: float, size: float, events: float) -> _Log:
        """`size` in bytes; 0 of either is not told, and then events are as long as most."""
        if not events or not size:
            return cls(seconds, seconds / (READ.million + READ.gibibyte * READ.bytes * 1e6 / 2**30))
        expected = READ.million * events / 1e6 + READ.gibibyte * size / 2**30
        return cls(seconds, events / 1e6 * seconds / expected)


class Forecast:
    """Seconds left of a scan."""

    def __init__(self, plan: Mapping[str, Part] = SCAN, clock: Callable[[], float] = time.monotonic) -> None:
        self.plan, self.clock = plan, clock
        self.name, self.begun = "", clock()
        self.total: int | None = None
        self.done = self.steps = self.events = 0
        self.log = _Log(0.0, 0.0)
        self.first = (0.0, 0)
        """Of the stage, when its first step was done, in seconds after it began, and how much that was."""
        self.spent: dict[str, float] = {}

    def begin(self, name: str, total: int | None) -> None:
        """A stage begins, or says its size after it began."""
        if name != self.name:
            self._end()
            self.name, self.begun = name, self.clock()
        self.total, self.done, self.steps, self.events = total, 0, 0, 0
        self.first = (0.0, 0)

    def advance(self, units: int, events: int = 0) -> None:
        """Some of it is done."""
        self.done += units
        self.events += events
        self.steps += 1
        if self.steps == 1:
            self.first = (self.clock() - self.begun, self.done)

    def left(self) -> float | None:
        """Seconds until the end of the plan; None while nothing can be said."""
        elapsed, share = self.clock() - self.begun, min(self.done / self.total, 1.0) if self.total else 0.0
        elapsed -= self._late(elapsed)
        log = self._log(elapsed, share)
        if log is None:
            return None
        told = {
            name: part.fixed + part.ratio * (log.reading if part.of == READING else log.worth)
            for name, part in self.plan.items()
            if part.of in (READING, EVENTS)
        }
        known = [name for name in told if name in self.spent]
        # stages that went faster or slower than expected say something of those to come
        pace = sum(self.spent[name] for name in known) / sum(told[name] for name in known) if known else 1.0
        expected: dict[str, float] = {}
        for name, part in self.plan.items():
            before = self.spent.get(part.of, expected.get(part.of, 0.0))
            expected[name] = pace * told[name] if name in told else part.fixed + part.ratio * before
        names = list(self.plan)
        here = names.index(self.name) if self.name in self.plan else -1
        later = names[here + 1 :] if here >= 0 else [name for name in names if name not in self.spent]
        after = sum(expected[name] for name in later)
        if here < 0:
            return after
        whole = expected[self.name]
        if share:
            sure = min(share / SURE, 1.0)
            whole = sure * elapsed / share + (1.0 - sure) * whole
        return max(whole - elapsed, 0.0) + after

    def _log(self, elapsed: float, share: float) -> _Log | None:
        """What is known of the log and the machine; None while that is too little."""
        if READING in self.spent:
            return self.log
        if self.name != READING or share < FIRST or self.steps < STEPS or not self.total:
            return None
        return _Log.of(elapsed / share, self.total, self.events / share)

    def _late(self, elapsed: float) -> float:
        """Seconds by which the reading's first step took longer than the later ones say that it should have."""
        when, done = self.first
        if self.name != READING or self.steps < STEPS or self.done <= done:
            return 0.0
        return max(when - done * (elapsed - when) / (self.done - done), 0.0)

    def _end(self) -> None:
        if self.name:
            elapsed = self.clock() - self.begun
            self.spent[self.name] = self.spent.get(self.name, 0.0) + elapsed - self._late(elapsed)
        if self.name == READING:
            self.log = _Log.of(self.spent[READING], self.total or self.done, self.events)


def spoken(seconds: float) -> str:
    """A stretch of time as people say it: `40 s`, `6 min`, `1.5 h`."""
    if seconds < 90:
        return f"{max(5 * round(seconds / 5), 5)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
