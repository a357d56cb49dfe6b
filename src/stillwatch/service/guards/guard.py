"""Ask about an account, within a stated time, and say what to do with its request.

A guard never waits longer than `timeout`. What it was told holds for `cache_seconds`; if Stillwatch cannot be reached
it holds on, up to `stale_seconds`, and beyond that the guard fails as configured: open lets through, closed turns away.
Either is counted. After a failure it does not ask again for `retry_seconds`, so an outage costs the timeout once and
not once a request.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

import httpx

REMEMBERED = 100_000
"""Accounts whose decision or rate is remembered."""
SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}


@dataclass(frozen=True)
class Outcome:
    """What to do with a request: let it through, or turn it away with a status, a word and perhaps a time."""

    through: bool
    action: str = "allow"
    """As decided; `unreachable` if nothing was."""
    status: int = 200
    code: str = ""
    message: str = ""
    retry_after: int | None = None

    def headers(self) -> dict[str, str]:
        """For an answer that turns away."""
        return {} if self.retry_after is None else {"retry-after": str(self.retry_after)}

    def body(self) -> dict[str, Any]:
        """In the shape of an API error of a language model's provider. Says what, never why: evidence is for people."""
        return {"error": {"type": self.code, "message": self.message}}


THROUGH = Outcome(True)


@dataclass
class Guard:
    """One for a process; `key` is an API key with the role viewer."""

    url: str
    key: str | None = None
    on_failure: Literal["open", "closed"] = "open"
    timeout: float = 0.1
    """Seconds until an answer must be there."""
    cache_seconds: float = 1.0
    stale_seconds: float = 300.0
    retry_seconds: float = 1.0
    counts: Counter[str] = field(default_factory=Counter)
    """asked, cached, stale, failed_open, failed_closed, let_through, verify, throttled, blocked, scope_unknown."""
    client: httpx.AsyncClient | None = None
    _told: OrderedDict[str, tuple[float, Mapping[str, Any]]] = field(default_factory=OrderedDict)
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    _silent_until: float = 0.0

    async def check(self, account: str, *, model: str | None = None, region: str | None = None) -> Outcome:
        """What to do with a request of this account. Never raises, never takes longer than the timeout."""
        decision = await self._decision(account)
        if decision is None:
            self.counts[f"failed_{self.on_failure}"] += 1
            if self.on_failure == "open":
                return Outcome(True, "unreachable")
            return Outcome(False, "unreachable", 503, "guard_unavailable", "Try again in a moment.", 1)
        return self.outcome(account, decision, {"model": model, "region": region})

    async def _decision(self, account: str) -> Mapping[str, Any] | None:
        now = time.monotonic()
        at, told = self._told.get(account, (0.0, None))
        if told is not None and now - at <= self.cache_seconds:
            self.counts["cached"] += 1
            return told
        if now >= self._silent_until:
            found = await self._ask(account)
            if found is not None:
                self._told[account] = (time.monotonic(), found)
                self._told.move_to_end(account)
                if len(self._told) > REMEMBERED:
                    self._told.popitem(last=False)
                return found
            self._silent_until = time.monotonic() + self.retry_seconds
        if told is not None and now - at <= self.stale_seconds:
            self.counts["stale"] += 1
            return told
        return None

    async def _ask(self, account: str) -> Mapping[str, Any] | None:
        self.counts["asked"] += 1
        if self.client is None:
            self.client = httpx.AsyncClient(trust_env=False)
        headers = {"authorization": f"Bearer {self.key}"} if self.key else {}
        place = f"{self.url.rstrip('/')}/v1/decisions/{quote(account, safe='')}"
        try:
            # httpx's own limit is for each of its steps; the guard's is for all of them
            async with asyncio.timeout(self.timeout):
                answer = await self.client.get(place, headers=headers, timeout=None)
            told = answer.json() if answer.status_code == 200 else None
        except (httpx.HTTPError, TimeoutError, ValueError, OSError):
            return None
        return told if isinstance(told, dict) and "action" in told else None

    def outcome(self, account: str, decision: Mapping[str, Any], request: Mapping[str, str | None]) -> Outcome:
        """What a decision means for a request of which this is known (model, region)."""
        action = str(decision["action"])
        if action in {"allow", "monitor"} or not self._concerned(decision, request):
            self.counts["let_through"] += 1
            return Outcome(True, action)
        if action == "throttle":
            wait = self._wait(account, str(decision.get("rate") or ""))
            if wait <= 0:
                self.counts["let_through"] += 1
                return Outcome(True, action)
            self.counts["throttled"] += 1
            return Outcome(False, action, 429, "rate_limit_exceeded", "Too many requests.", int(wait) + 1)
        if action == "verify":
            self.counts["verify"] += 1
            return Outcome(False, action, 403, "account_verification_required", "This account has to be verified.")
        self.counts["blocked"] += 1
        return Outcome(False, action, 403, "account_blocked", "This account may not make this request.")

    def _concerned(self, decision: Mapping[str, Any], request: Mapping[str, str | None]) -> bool:
        """Whether the request is in the decision's scope; one that cannot be told is let through, and counted."""
        scope = decision.get("scope")
        if scope not in {"model", "region", "capability"}:
            return True
        mine = request.get(str(scope))
        if mine is None:
            self.counts["scope_unknown"] += 1
            return False
        return mine in decision.get("only", ())

    def _wait(self, account: str, rate: str) -> float:
        """Seconds until the account may send again; 0 if it may now. A token bucket of one period's requests."""
        number, _, per = rate.partition("/")
        if not number.isdecimal() or per not in SECONDS or int(number) == 0:
            return 0.0
        most, now = float(number), time.monotonic()
        refill = most / SECONDS[per]
        left, at = self._buckets.get(account, (most, now))
        left = min(most, left + (now - at) * refill)
        if left < 1.0:
            return (1.0 - left) / refill
        self._buckets[account] = (left - 1.0, now)
        self._buckets.move_to_end(account)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return 0.0

    async def close(self) -> None:
        """Let go of connections."""
        if self.client is not None:
            await self.client.aclose()
            self.client = None
