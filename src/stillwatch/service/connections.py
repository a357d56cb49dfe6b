"""Connections: who takes nothing of what was written for it is hung up on, and what waits for it is let go."""

from __future__ import annotations

import asyncio
import logging

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from stillwatch.service.logs import say


class Connection(HttpToolsProtocol):
    """A connection of uvicorn that looks at what waits to be written, once that is more than its buffer should hold.

    To close it would not do: what waits is sent first, and whoever does not read keeps it, and megabytes, for ever.
    """

    seconds = 30.0
    waiting: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """The buffer is full."""
        super().pause_writing()
        self._look_again()

    def resume_writing(self) -> None:
        """It has been read down."""
        self._look_no_more()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The other end has gone, or was hung up on."""
        self._look_no_more()
        super().connection_lost(exc)

    def _look_again(self) -> None:
        left = self.transport.get_write_buffer_size()
        self.waiting = self.loop.call_later(self.seconds, self._look, left)

    def _look_no_more(self) -> None:
        if self.waiting is not None:
            self.waiting.cancel()
            self.waiting = None

    def _look(self, before: int) -> None:
        """Slow is not deaf: whoever took anything has as long again."""
        if self.transport.get_write_buffer_size() < before:
            self._look_again()
            return
        say("a client did not read its answer", level=logging.WARNING)
        self.transport.abort()


def hung_up_after(seconds: float) -> type[Connection]:
    """Connections of a server that waits so long for a client to read."""
    return type("Connection", (Connection,), {"seconds": seconds})
