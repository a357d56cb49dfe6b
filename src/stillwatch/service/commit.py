"""Group commit: parcels that came while the disk was busy are made durable together, and then acknowledged together."""

from __future__ import annotations

import asyncio
import queue
import threading
from dataclasses import dataclass

from stillwatch.service.store import Store, StoreError

MOST = 64 << 20
"""Bytes of one commit."""


@dataclass
class _Pending:
    data: bytes
    events: int
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[int]


class Committer:
    """A thread that alone writes to the store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.queue: queue.SimpleQueue[_Pending | None] = queue.SimpleQueue()
        self.groups = 0
        self.last = 0
        """Number of the newest durable parcel."""
        self.events = 0
        """Events made durable since the start."""
        self.trouble: str | None = None
        """Why the last commit failed; None if it did not."""
        self.thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self.thread.start()

    async def keep(self, data: bytes, events: int) -> int:
        """The parcel's group's last number, once it is durable; StoreError if it could not be made so."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[int] = loop.create_future()
        self.queue.put(_Pending(data, events, loop, done))
        return await done

    def stop(self) -> None:
        """Commit what is waiting and end."""
        self.queue.put(None)
        self.thread.join()

    def _run(self) -> None:
        while (first := self.queue.get()) is not None:
            group, size, last = [first], len(first.data), False
            while size < MOST:
                try:
                    more = self.queue.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    last = True
                    break
                group.append(more)
                size += len(more.data)
            self._commit(group)
            if last:
                return

    def _commit(self, group: list[_Pending]) -> None:
        try:
            number = self.store.append([(one.data, one.events) for one in group])
        except Exception as error:  # whatever it was, nobody may wait for ever
            answer: int | StoreError = error if isinstance(error, StoreError) else StoreError(f"the store: {error!r}")
            self.trouble = str(answer)
        else:
            self.groups, self.last, self.trouble = self.groups + 1, number, None
            self.events += sum(one.events for one in group)
            answer = number
        for one in group:
            one.loop.call_soon_threadsafe(_settle, one.done, answer)


def _settle(done: asyncio.Future[int], answer: int | StoreError) -> None:
    if done.done():  # whoever asked has hung up; the events are kept all the same
        return
    if isinstance(answer, StoreError):
        done.set_exception(answer)
    else:
        done.set_result(answer)
