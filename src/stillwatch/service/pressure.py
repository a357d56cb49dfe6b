"""How much is let in: bytes being worked on, requests of one key, guesses of one address."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from stillwatch.service.problems import ProblemError

REMEMBERED = 10_000
"""Keys or addresses whose rates are remembered."""


class Bytes:
    """Bodies that are being worked on."""

    def __init__(self, most: int) -> None:
        self.most, self.now = most, 0

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Let a body in; ProblemError 429 if there is no room for it now."""
        if self.now and self.now + size > self.most:
            raise ProblemError(429, "too much is being worked on: send it again later", retry_after=1)
        self.now += size
        try:
            yield
        finally:
            self.now -= size


class Rate:
    """A token bucket for each of many: so many a second in the mean, so many at once."""

    def __init__(self, per_second: float, burst: int) -> None:
        self.per_second, self.burst = per_second, float(burst)
        self.left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str) -> None:
        """Let one through; ProblemError 429 with the time until the next if there is none left."""
        now = time.monotonic()
        tokens, at = self.left.get(who, (self.burst, now))
        tokens = min(self.burst, tokens + (now - at) * self.per_second)
        if tokens < 1.0:
            raise ProblemError(429, "too many requests of this key", retry_after=(1.0 - tokens) / self.per_second)
        self.left[who] = (tokens - 1.0, now)
        self.left.move_to_end(who)
        if len(self.left) > REMEMBERED:
            self.left.popitem(last=False)
