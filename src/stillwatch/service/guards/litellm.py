"""A guardrail and a logger for a LiteLLM proxy (pip install 'stillwatch[litellm]').

    guardrails:
      - guardrail_name: stillwatch
        litellm_params:
          {guardrail: stillwatch.service.guards.litellm.StillwatchGuardrail, mode: pre_call, default_on: true}
    litellm_settings:
      callbacks: [stillwatch.service.guards.litellm.logger]

Both read the environment: STILLWATCH_URL, STILLWATCH_KEY (roles viewer and ingest), STILLWATCH_ON_FAILURE (open or
closed), STILLWATCH_TIMEOUT (seconds). The account is the key's user, else the key's hash, as in LiteLLM's own log.
"""

from __future__ import annotations

import asyncio
import gzip
import os
from collections import Counter, deque
from typing import Any

import httpx
import orjson
from fastapi import HTTPException
from litellm.integrations.custom_guardrail import CustomGuardrail
from litellm.integrations.custom_logger import CustomLogger

from stillwatch.service.guards.guard import Guard

WAITING = 20_000
"""Records that wait to be sent; beyond it the oldest go, and are counted."""
BATCH = 500
SECONDS = 1.0


def guard_from_environment() -> Guard:
    """A guard as the environment says."""
    on_failure = os.environ.get("STILLWATCH_ON_FAILURE", "open")
    if on_failure not in {"open", "closed"}:
        raise ValueError("STILLWATCH_ON_FAILURE is open or closed")
    return Guard(
        os.environ.get("STILLWATCH_URL", "http://127.0.0.1:8417"),
        os.environ.get("STILLWATCH_KEY"),
        "closed" if on_failure == "closed" else "open",
        float(os.environ.get("STILLWATCH_TIMEOUT", "0.1")),
    )


class StillwatchGuardrail(CustomGuardrail):
    """Turns requests away before they reach a model."""

    def __init__(self, **more: Any) -> None:
        self.guard = guard_from_environment()
        super().__init__(**more)

    async def async_pre_call_hook(self, user_api_key_dict: Any, cache: Any, data: Any, call_type: Any) -> Any:
        """LiteLLM calls it with the caller's key and the request."""
        account = getattr(user_api_key_dict, "user_id", None) or getattr(user_api_key_dict, "api_key", None)
        if account:
            outcome = await self.guard.check(str(account), model=data.get("model"))
            if not outcome.through:
                raise HTTPException(outcome.status, detail=outcome.body(), headers=outcome.headers() or None)
        return data


class StillwatchLogger(CustomLogger):
    """Sends LiteLLM's standard logging payloads to the service, in batches, without holding a request up."""

    def __init__(self, **more: Any) -> None:
        self.url = os.environ.get("STILLWATCH_URL", "http://127.0.0.1:8417").rstrip("/")
        self.key = os.environ.get("STILLWATCH_KEY")
        self.waiting: deque[bytes] = deque()
        self.counts: Counter[str] = Counter()
        """sent, dropped, refused, failed."""
        self.task: asyncio.Task[None] | None = None
        self.client: httpx.AsyncClient | None = None
        super().__init__(**more)

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """A request that a model answered."""
        self._take(kwargs)

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """A request that failed."""
        self._take(kwargs)

    def _take(self, kwargs: Any) -> None:
        payload = kwargs.get("standard_logging_object")
        if payload is None:
            return
        self.waiting.append(orjson.dumps(payload, default=str, option=orjson.OPT_NON_STR_KEYS))
        if len(self.waiting) > WAITING:
            self.waiting.popleft()
            self.counts["dropped"] += 1
        if self.task is None or self.task.done():
            self.task = asyncio.get_running_loop().create_task(self._send_all())

    async def _send_all(self) -> None:
        pause = SECONDS
        while self.waiting:
            await asyncio.sleep(pause)
            batch = [self.waiting[k] for k in range(min(BATCH, len(self.waiting)))]
            taken = await self._send(batch)
            pause = SECONDS if taken else min(pause * 2, 60.0)
            if taken:
                for line in batch:
                    if self.waiting and self.waiting[0] is line:  # a full queue may have let the oldest go meanwhile
                        self.waiting.popleft()

    async def _send(self, batch: list[bytes]) -> bool:
        """Whether the batch is done with: durable, or refused for good."""
        self.client = self.client or httpx.AsyncClient(trust_env=False, timeout=10)
        headers = {"content-type": "application/x-ndjson", "content-encoding": "gzip"}
        if self.key:
            headers["authorization"] = f"Bearer {self.key}"
        try:
            body = gzip.compress(b"\n".join(batch), 1)
            answer = await self.client.post(f"{self.url}/v1/events?format=litellm", content=body, headers=headers)
        except httpx.HTTPError:
            self.counts["failed"] += 1
            return False
        if answer.status_code in {400, 413, 415}:
            self.counts["refused"] += len(batch)
            return True
        if answer.status_code != 200:
            self.counts["failed"] += 1
            return False
        self.counts["sent"] += len(batch)
        return True


logger = StillwatchLogger()
