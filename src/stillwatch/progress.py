"""How a long stage says how far it is; the command line shows it, libraries pass `SILENT`. And what is left of a scan.

What is left is forecast from the part that is done. Reading tells how many events there are and how fast the machine
is: what their number and bytes would have taken where the plan was fitted, against what they took. The stages after it
take so many seconds for a million events or a thousand accounts, and more where these have text, or for each second of
a stage before them. Measured by `benchmarks/scale.py` (docs/performance.md says how far forecasts are off).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol


class Progress(Protocol):
    """Told of each stage and each step; must be cheap and must never raise."""

    def stage(self, name: str, total: int | None = None) -> None:
        """A stage begins; `total` units of work, or None if unknown."""

    def advance(self, units: int = 1) -> None:
        """Some units of the current stage are done."""

    def tell(self, *, events: int = 0, texts: int = 0, accounts: int = 0) -> None:
        """What is known of the log by now: events read, how many of them have text, accounts; 0 says nothing new."""


class _Silent:
    def stage(self, name: str, total: int | None = None) -> None:
        pass

    def advance(self, units: int = 1) -> None:
        pass

    def tell(self, *, events: int = 0, texts: int = 0, accounts: int = 0) -> None:
        pass


SILENT: Progress = _Silent()

READING = "reading and sketching"


EVENTS, ACCOUNTS = "events", "accounts"


class Part(NamedTuple):
    """What a stage takes: seconds in any case; and for each million `EVENTS`, thousand `ACCOUNTS` or second of a stage
    before it, `more` of them where all events have text."""

    fixed: float
    ratio: float
    of: str = READING
    more: float = 0.0


class Reading(NamedTuple):
    """What reading takes where the plan was fitted: seconds a million events, and a GiB."""

    million: float
    gibibyte: float


READ = Reading(0.25, 41.0)
EACH = 170.0
"""Bytes of an event of a Parquet file with text, and events of an account, where they are not told."""
SCAN: Mapping[str, Part] = {
    READING: Part(0.0, 1.0),
    "looking for duplicates": Part(0.2, 0.15, EVENTS),
    "summaries": Part(0.05, 0.3, EVENTS, 0.05),
    "traits": Part(0.1, 0.95, EVENTS, 0.2),
    "profiles": Part(0.05, 0.29, EVENTS, 0.45),
    "linking": Part(0.3, 0.18, ACCOUNTS, 0.8),
    "streams": Part(0.0, 0.05, EVENTS, 1.15),
    "judging": Part(0.3, 0.2, ACCOUNTS, 0.15),
    "report": Part(1.9, 0.07, ACCOUNTS, 0.04),
}
"""Stages of a scan in order."""
FIRST = 0.02
"""Share of the reading before which nothing is said."""
STEPS = 4
"""Steps of the reading before which nothing is said: the first waits for code to be compiled or loaded."""
SURE = 0.1
"""Share of a stage from which its own pace says all about its end."""


class _Log(NamedTuple):
    """Seconds of reading it; millions of events and thousands of accounts, each counted as much more as this machine is
    slower; share of events that have text."""

    reading: float
    events: float
    accounts: float
    text: float

    def worth(self, part: Part) -> float:
        """Seconds of a stage that does not go by another one, or by the reading."""
        size = {READING: self.reading, EVENTS: self.events, ACCOUNTS: self.accounts}[part.of]
        return part.fixed + (part.ratio + self.text * part.more) * size


class Forecast:
    """Seconds left of a scan."""

    def __init__(self, plan: Mapping[str, Part] = SCAN, clock: Callable[[], float] = time.monotonic) -> None:
        self.plan, self.clock = plan, clock
        self.name, self.begun = "", clock()
        self.total: int | None = None
        self.done = self.steps = self.bytes = 0
        self.known = {"events": 0, "texts": 0, "accounts": 0}
        self.first = (0.0, 0)
        """Of the stage, when its first step was done, in seconds after it began, and how much that was."""
        self.spent: dict[str, float] = {}

    def begin(self, name: str, total: int | None) -> None:
        """A stage begins, or says its size after it began."""
        if name != self.name:
            self._end()
            self.name, self.begun = name, self.clock()
        self.total, self.done, self.steps = total, 0, 0
        self.first = (0.0, 0)

    def tell(self, **known: int) -> None:
        """What is known of the log by now, see `Progress.tell`."""
        self.known |= {name: number for name, number in known.items() if number}

    def advance(self, units: int) -> None:
        """Some of it is done."""
        self.done += units
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
        told = {name: log.worth(part) for name, part in self.plan.items() if part.of in (READING, EVENTS, ACCOUNTS)}
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
            seconds, share, size = self.spent[READING], 1.0, self.bytes
        elif self.name != READING or share < FIRST or self.steps < STEPS or not self.total:
            return None
        else:
            seconds, size = elapsed / share, self.total
        read, texts, accounts = (self.known[name] for name in ("events", "texts", "accounts"))
        events = read / share or size / EACH
        if events and size:
            slower = seconds / (READ.million * events / 1e6 + READ.gibibyte * size / 2**30)
        else:  # as Spark reads, which says nothing: events as long as most
            slower, events = 1.0, seconds / (READ.million / 1e6 + READ.gibibyte * EACH / 2**30)
        many = accounts or events / EACH
        return _Log(seconds, slower * events / 1e6, slower * many / 1e3, texts / read if read else 1.0)

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
            self.bytes = self.total or self.done


def spoken(seconds: float) -> str:
    """A stretch of time as people say it: `40 s`, `6 min`, `1.5 h`."""
    if seconds < 90:
        return f"{max(5 * round(seconds / 5), 5)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
