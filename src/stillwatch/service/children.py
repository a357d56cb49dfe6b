"""Helper processes: started, listened to, and started again when they die."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from stillwatch.service.logs import say
from stillwatch.service.metrics import Metrics

AGAIN = 2.0
"""Seconds before a process that died is started again."""


def end_with_parent(name: str) -> None:
    """For a helper: end when the process that started it has ended, however that came about, and only then.

    `name` is what `ps` and `top` call it, where the system lets a process choose.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(f"stillwatch-{name}"[:15], encoding="ascii")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a key press goes to all processes; the parent ends its helpers
    parent = parent_process()
    if parent is not None:

        def wait() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=wait, daemon=True).start()


class Child:
    """A process that runs `target(*args, connection)` until its parent ends."""

    def __init__(
        self,
        name: str,
        target: Callable[..., None],
        args: tuple[Any, ...],
        hear: Callable[[Any], None],
        metrics: Metrics,
    ) -> None:
        self.name, self.target, self.args, self.hear, self.metrics = name, target, args, hear, metrics
        self.hello: Callable[[], Any] = lambda: None
        """What a new process is told first; None is nothing."""
        self.stopped = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start it and listen."""
        self.loop = loop
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        # not a daemon: daemons may have no processes of their own, and a look starts some
        self.process = context.Process(target=self.target, args=(*self.args, theirs), name=self.name, daemon=False)
        self.process.start()
        theirs.close()
        loop.add_reader(self.pipe.fileno(), self._readable, self.pipe)
        self.send(self.hello())

    def send(self, what: Any) -> None:
        """Tell it something; nothing if it just died, since a new one is told anew."""
        if what is not None:
            with contextlib.suppress(OSError, ValueError):
                self.pipe.send(what)

    def _readable(self, pipe: Connection) -> None:
        try:
            told = pipe.recv()
        except (EOFError, OSError):
            self.loop.remove_reader(pipe.fileno())
            pipe.close()
            if not self.stopped:
                self.metrics.restarts.labels(self.name).inc()
                say("a process ended and is started again", level=logging.ERROR, process=self.name)
                self.loop.call_later(AGAIN, self._again)
            return
        self.hear(told)

    def _again(self) -> None:
        self.process.join(timeout=0.1)
        if not self.stopped:
            self.start(self.loop)

    def stop(self) -> None:
        """End it at once; all that it writes is whole or not at all."""
        self.stopped = True
        with contextlib.suppress(OSError, ValueError):
            self.loop.remove_reader(self.pipe.fileno())
        self.process.terminate()
        self.process.join(timeout=5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        with contextlib.suppress(OSError):
            self.pipe.close()
