"""The running service: processes, what is durable, what is decided, and how fresh it is. The web layer only asks it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

from stillwatch.decisions import Casebook, Decision, Policy, RunFacts
from stillwatch.errors import StillwatchError
from stillwatch.service import fast, looking, memory
from stillwatch.service.children import Child
from stillwatch.service.commit import Committer
from stillwatch.service.deciding import Decisions, now
from stillwatch.service.fast import Passed
from stillwatch.service.intake import Intake
from stillwatch.service.keys import Keys
from stillwatch.service.logs import say
from stillwatch.service.looking import KNOWN, RUNS, Looked, Walk, latest
from stillwatch.service.metrics import Metrics
from stillwatch.service.pressure import Bytes, Rate
from stillwatch.service.problems import ProblemError
from stillwatch.service.reading import Body, Read, Reading
from stillwatch.service.store import Store, StoreError, Waiting
from stillwatch.service.stores import open_store

CASEBOOK = "casebook"
T = TypeVar("T")


class Source(Protocol):
    """Where events come from besides requests."""

    trouble: str | None

    def start(
        self, receive: Callable[[Body], Awaitable[Read]], metrics: Metrics, loop: asyncio.AbstractEventLoop
    ) -> None:
        """Begin; what `receive` has returned for is durable."""

    def stop(self) -> None:
        """End; may wait."""


@dataclass(frozen=True)
class Setup:
    """What a service is started with."""

    walk: Walk
    policy: Policy
    keys: Keys
    looks: bool = True
    """False takes events and decides by what was known; for tests, and where another process looks."""
    sources: tuple[Source, ...] = ()


@dataclass
class Freshness:
    """How old what is known is."""

    last: Looked | None = None
    """The last look that was done."""
    trouble: str | None = None
    """Why the newest look could not be done."""
    waiting: Waiting = field(default_factory=Waiting)
    """Counted once a second."""

    def age(self, newest: int) -> float | None:
        """Seconds since the moment up to which everything durable is in the last run; 0 if nothing came since.

        `newest` is the parcel last made durable by this process. The count lags, and what a look has merged leaves the
        store before its run is known here: that nothing waits is not enough.
        """
        if self.last is None:
            return None
        if not self.waiting.parcels and newest <= self.last.upto:
            return 0.0
        return max(0.0, time.time() - self.last.began_at)


class Live:
    """One service in one process, with its helpers; start and stop it inside an event loop."""

    def __init__(self, setup: Setup) -> None:
        self.setup, self.walk, self.limits = setup, setup.walk, setup.walk.limits
        self.keys, self.metrics = setup.keys, Metrics()
        self.fresh = Freshness()
        self.room = Bytes(self.limits.queue_bytes)
        self.rates = Rate(self.limits.requests_per_second, self.limits.burst)
        self.guesses = Rate(2.0, 20)
        """Of an address, with keys that are none."""
        self.reading = Reading(self.walk.settings.ingest, self.walk.pseudonyms, self.walk.context.networks, self.limits)
        self.store: Store = open_store(self.walk.store)
        self.committer = Committer(self.store)
        self.watch: Store = open_store(self.walk.store)
        """A second connection, for counting."""
        self.book = Casebook.open(self.walk.data / CASEBOOK, now())
        told = hashlib.sha256(setup.policy.model_dump_json().encode()).hexdigest()
        self.book.policy_is(told, setup.policy.mode, now())
        self.decisions = Decisions(setup.policy, self.book, self.limits.recognised, self.limits.recognised_hours)
        self.intake = Intake(self.reading, self.committer, self.metrics)
        self.children: list[Child] = []
        self.adopted: list[Callable[[Path, RunFacts], None]] = []
        """Told of every run that has become what is known; from a thread."""
        self.tasks: list[asyncio.Task[None]] = []
        self.one_thread = ThreadPoolExecutor(1, "aside")
        self.started_at = time.time()

    # life

    async def start(self) -> None:
        """Take up what an earlier process left, and start the helpers."""
        run = latest(self.walk.data / RUNS)
        if run is not None:
            await self._adopt(Looked(run, began_at=run.stat().st_mtime))
        await asyncio.to_thread(self._count)
        loop = asyncio.get_running_loop()
        self.fast = Child("fast", fast.loop, (self.walk.store, self.limits.fast_seconds), self._passed, self.metrics)
        self.children = [self.fast]
        if self.setup.looks:
            self.looker = Child("looker", looking.loop, (self.walk,), self._looked, self.metrics)
            self.children.append(self.looker)
        for child in self.children:
            child.start(loop)
        self.fast.hello = self._what_is_known
        self.fast.send(self._what_is_known())
        self._every(1.0, self._tick)
        await self.intake.start()
        for source in self.setup.sources:
            source.start(self.receive, self.metrics, loop)

    async def stop(self) -> None:
        """Commit what is waiting, end the helpers. A look that is under way is given up: the next one repeats it."""
        for source in self.setup.sources:
            await asyncio.to_thread(source.stop)
        for task in self.tasks:
            task.cancel()
        for child in self.children:
            child.stop()
        self.intake.stop()
        self.one_thread.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self.committer.stop)
        for closing in (self.store, self.watch, self.book):
            closing.close()

    def _every(self, seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def again() -> None:
            while True:
                await asyncio.sleep(seconds)
                try:
                    await work()
                except (StillwatchError, OSError) as error:
                    say("housekeeping failed", level=logging.WARNING, error=error)

        self.tasks.append(asyncio.get_running_loop().create_task(again()))

    async def aside(self, work: Callable[..., T], *words: Any) -> T:
        """What reads runs, in one thread for all of it: each thread that does would keep memory of its own for more."""
        return await asyncio.get_running_loop().run_in_executor(self.one_thread, work, *words)

    def trouble(self) -> str | None:
        """What keeps the service from doing its work, the first of it."""
        troubles = (self.fresh.trouble, self.committer.trouble, *(source.trouble for source in self.setup.sources))
        return next((one for one in troubles if one), None)

    # events in

    async def receive(self, body: Body) -> Read:
        """Read a body and make it durable; ProblemError says why it was not taken."""
        with self.room.hold(len(body.data)):
            if self.fresh.waiting.bytes > self.limits.backlog_bytes:
                raise ProblemError(429, "too much is waiting to be looked at: send it again later", retry_after=30)
            found = await self.intake.take(body)
        self.metrics.events.labels(body.kind, "kept").inc(found.kept)
        self.metrics.events.labels(body.kind, "rejected").inc(found.rejected)
        return found

    # what the helpers say

    def _passed(self, passed: Passed) -> None:
        new = self.decisions.recognised(passed.found, now())
        self.metrics.recognised.inc(new)
        self.metrics.fast_behind.set(max(0, self.committer.last - passed.upto))

    def _looked(self, looked: Looked) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(self._adopt(looked)))
        self.tasks = [task for task in self.tasks if not task.done()]

    async def _adopt(self, looked: Looked) -> None:
        """Make the run of a look what is known."""
        if looked.run is None:
            self.fresh.trouble = looked.trouble
            self.metrics.looks.labels("failed").inc()
            say("a look failed", level=logging.ERROR, trouble=looked.trouble)
            return
        try:
            facts = await self.aside(self.decisions.read, looked.run)
        except StillwatchError as error:
            self.fresh.trouble = str(error)
            say("a run cannot be read", level=logging.ERROR, trouble=str(error))
            return
        await self.anew(looked.run, facts)
        self.fresh.last, self.fresh.trouble = looked, None
        self.metrics.looks.labels("done").inc()
        self.metrics.look_seconds.set(looked.seconds)
        self.metrics.look_events.set(looked.events)
        self.metrics.looked_at.set(looked.began_at)
        await self._tell(looked.run, facts)
        await self.aside(memory.give_back)
        if self.children:
            self.fast.send(self._what_is_known())
        say("looked", seconds=round(looked.seconds, 2), merged=looked.merged, events=looked.events,
            decided=len(self.decisions.snapshot.said))  # fmt: skip

    async def _tell(self, run: Path, facts: RunFacts) -> None:
        for tell in self.adopted:
            try:
                await self.aside(tell, run, facts)
            except (StillwatchError, OSError) as error:
                say("a run was not kept in mind", level=logging.WARNING, error=error)

    def _what_is_known(self) -> Path | None:
        """What a new fast path has to know."""
        return None if self.decisions.run is None else self.decisions.run / KNOWN

    async def _tick(self) -> None:
        """Once a second: counts, keys, what people decided elsewhere, what has expired."""
        with contextlib.suppress(StoreError):
            await asyncio.to_thread(self._count)
        self.keys.refresh()
        if await asyncio.to_thread(self.decisions.stale):
            await self.anew()
        stale = now() - timedelta(seconds=1)
        self.decisions.seen = {name: seen for name, seen in self.decisions.seen.items() if seen.until > stale}

    def _count(self) -> None:
        waiting = self.watch.waiting()
        self.fresh.waiting = waiting
        self.metrics.waiting_events.set(waiting.events)
        self.metrics.waiting_bytes.set(waiting.bytes)
        self.metrics.working_bytes.set(self.room.now)
        self.metrics.commits.set(self.committer.groups)
        self.metrics.decisions.set(len(self.decisions.snapshot.said) + len(self.decisions.seen))

    def id_of(self, account: str) -> str:
        """The id that runs have for an account; a pseudonym, as the console and a run show it, stays as it is."""
        names = self.walk.pseudonyms
        if names.mode == "keyed" and len(account) == 34 and account.startswith("a_"):
            return account
        return names.one("account_id", account)

    def holds(self, account: str) -> Decision:
        """What holds for an account now, by the provider's id or its pseudonym."""
        return self.decisions.get(self.id_of(account), now())

    async def anew(self, run: Path | None = None, facts: RunFacts | None = None) -> None:
        """Let what people have decided hold at once, and with it perhaps a new run.

        A snapshot takes seconds where there are many accounts: what is decided or read meanwhile must not be lost.
        """
        while True:
            known, docket = self.decisions.facts, self.decisions.book.docket
            made = await asyncio.to_thread(self.decisions.made, facts)
            if known is self.decisions.facts and docket is self.decisions.book.docket:
                self.decisions.take(made, run, facts, docket)
                return

    def look_now(self) -> None:
        """Do not wait for the next look's time."""
        if self.setup.looks:
            self.looker.send("look")
