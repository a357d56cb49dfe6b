"""Bodies in: read in processes of their own, small ones that wait together in one go, made durable, then answered."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from stillwatch.service.commit import Committer
from stillwatch.service.logs import say
from stillwatch.service.metrics import Metrics
from stillwatch.service.problems import ProblemError
from stillwatch.service.reading import Body, Read, Reading, begin
from stillwatch.service.store import StoreError
from stillwatch.service.together import Together, alike, work_off

MOST = 64
"""Bodies that are read in one go."""
MOST_BYTES = 1 << 20
_Waiting = tuple[Body, "asyncio.Future[Read]"]


class Intake:
    """From a body to an acknowledgement; used from one event loop."""

    def __init__(self, reading: Reading, committer: Committer, metrics: Metrics) -> None:
        self.reading, self.committer, self.metrics = reading, committer, metrics
        self.workers = reading.limits.sketchers or max(1, len(os.sched_getaffinity(0)) - 1)
        self.pool = self._pool()
        self.waiting: deque[_Waiting] = deque()
        self.busy = 0
        """Groups being read: one more than there are processes, so that none of these has to wait for work."""
        self.tasks: set[asyncio.Task[None]] = set()

    def _pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.workers, get_context("spawn"), initializer=begin, initargs=(self.reading,))

    async def start(self) -> None:
        """Until the first process is up."""
        await asyncio.wrap_future(self.pool.submit(os.getpid))

    def stop(self) -> None:
        """End the processes; whoever waits is not answered."""
        self.pool.shutdown(wait=False, cancel_futures=True)

    async def take(self, body: Body) -> Read:
        """What a body held, once it is durable; ProblemError says why it was not taken."""
        answer: asyncio.Future[Read] = asyncio.get_running_loop().create_future()
        self.waiting.append((body, answer))
        self._go_on()
        return await answer

    def _go_on(self) -> None:
        while self.waiting and self.busy <= self.workers:
            self.busy += 1
            task = asyncio.get_running_loop().create_task(self._work(self._next()))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    def _next(self) -> list[_Waiting]:
        """The body that has waited longest, and those behind it that can be read with it."""
        chosen = [self.waiting.popleft()]
        size = len(chosen[0][0].data)
        while self.waiting and len(chosen) < MOST:
            following = self.waiting[0][0]
            size += len(following.data)
            if size > MOST_BYTES or not alike(chosen[0][0], following):
                break
            chosen.append(self.waiting.popleft())
        return chosen

    async def _work(self, some: list[_Waiting]) -> None:
        try:
            try:
                found = await self._read([body for body, _ in some])
            finally:
                self.busy -= 1
                self._go_on()
            await asyncio.gather(*(self.committer.keep(data, events) for data, events in found.parcels))
        except Exception as error:  # whatever it was, nobody may wait for ever
            _settle(some, [_problem(error)] * len(some))
        else:
            _settle(some, found.answers)

    async def _read(self, bodies: list[Body]) -> Together:
        pool = self.pool
        try:
            return await asyncio.wrap_future(pool.submit(work_off, bodies))
        except BrokenProcessPool as error:
            if self.pool is pool:  # the first to notice makes a new one
                self.metrics.restarts.labels("sketcher").inc()
                say("a sketcher died", level=logging.ERROR)
                self.pool = self._pool()
            raise ProblemError(503, "reading was interrupted: send it again", retry_after=1) from error


def _problem(error: Exception) -> Exception:
    if isinstance(error, StoreError):
        say("store", level=logging.ERROR, error=error, trouble=str(error))
        return ProblemError(503, "the store cannot take events now", retry_after=5)
    return error


def _settle(some: list[_Waiting], answers: list[Read | ProblemError] | list[Exception]) -> None:
    for (_, waiting), answer in zip(some, answers, strict=True):
        if waiting.done():  # whoever asked has hung up; the events are kept all the same
            continue
        if isinstance(answer, Exception):
            waiting.set_exception(answer)
        else:
            waiting.set_result(answer)
