"""A suspect behind an OpenAI-compatible completions endpoint, with log-probabilities of given text (`echo`) or without.

The endpoint is not trusted: no redirects, bounded answers, every field checked. Its key is in STILLWATCH_SUSPECT_KEY
and goes nowhere but to an https or loopback address. Only prompts of the plan and logged twins are sent.
"""

from __future__ import annotations

import json
import math
import os
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from stillwatch.errors import InputError, UsageError
from stillwatch.forensics.model.suspects.base import Positions, Scored

KEY = "STILLWATCH_SUSPECT_KEY"
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_MOST_BYTES = 64 << 20


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


class Endpoint:
    """`url` is what `/completions` is added to, e.g. http://host/v1."""

    def __init__(self, url: str, model: str, *, timeout: float = 120, at_once: int = 4, patience: float = 1) -> None:
        parts = urlsplit(url)
        if not parts.hostname or parts.username or parts.password:
            raise UsageError("a suspect's URL has a host, and no password in it")
        self.url = url.rstrip("/").removesuffix("/completions") + "/completions"
        self.model, self.timeout, self.patience = model, timeout, patience
        self._pool = ThreadPoolExecutor(at_once)
        self._key = os.environ.get(KEY, "")
        if self._key and parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise UsageError(f"{KEY} is not sent over plain http to {parts.hostname}")
        self._open = urllib.request.build_opener(_NoRedirect()).open
        self._echo = True

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Scored] | None:
        """Log-probabilities by `echo`; None if the endpoint refuses that or leaves them out."""
        if not self._echo:
            return None
        done = list(self._pool.map(lambda pair: self._score(*pair), pairs))
        scored = [one for one in done if one is not None]
        self._echo = len(scored) == len(done)
        return scored if self._echo else None

    def generate(self, prompts: Sequence[str], most: int, temperature: float, seed: int) -> list[str]:
        """One answer a prompt; an endpoint that gives no text for one gives an empty answer."""

        def one(job: tuple[int, str]) -> str:
            number, prompt = job
            body = {"prompt": prompt, "max_tokens": most, "temperature": temperature, "seed": seed + number}
            return str(self._choice(self._post(body)).get("text") or "")

        return list(self._pool.map(one, enumerate(prompts)))

    def positions(self, texts: Sequence[tuple[str, str]], tokenizer: object, width: int) -> Positions | str:
        """An endpoint does not give its whole distribution in the provider's tokens."""
        return "an endpoint does not give distributions over the provider's tokens"

    def _score(self, prompt: str, answer: str) -> Scored | None:
        text = prompt + answer
        try:
            got = self._post({"prompt": text, "max_tokens": 1, "temperature": 0, "echo": True, "logprobs": 1})
        except _RefusedError:
            return None
        logs = self._choice(got).get("logprobs") or {}
        names = ("tokens", "token_logprobs", "text_offset")
        columns = [logs.get(name) for name in names] if isinstance(logs, dict) else [None]
        if not all(isinstance(column, list) and column for column in columns):
            return None
        total, count = 0.0, 0
        for token, value, start in zip(*columns, strict=False):
            if not isinstance(start, int) or not isinstance(token, str):
                raise InputError("refused: the suspect's log-probabilities are not of the documented form")
            if start >= len(text) or start + len(token) <= len(prompt) or value is None:
                continue
            if not isinstance(value, int | float) or not math.isfinite(value):
                raise InputError("refused: a log-probability of the suspect is not a finite number")
            total, count = total + value, count + 1
        return Scored(total, count) if count else None

    def _choice(self, got: Any) -> dict[str, Any]:
        try:
            choice = got["choices"][0]
        except (KeyError, IndexError, TypeError) as error:
            raise InputError("refused: the suspect's answer has no choices: is it a completions endpoint?") from error
        return choice if isinstance(choice, dict) else {}

    def _post(self, body: dict[str, Any]) -> Any:
        """One request, three times if the endpoint is busy."""
        data = json.dumps({"model": self.model, **body}).encode("utf-8", "surrogatepass")
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        for attempt in range(3):
            try:
                request = urllib.request.Request(self.url, data, headers)
                with self._open(request, timeout=self.timeout) as reply:
                    raw = reply.read(_MOST_BYTES + 1)
                if len(raw) > _MOST_BYTES:
                    raise InputError("refused: the suspect's answer is larger than 64 MiB")
                return json.loads(raw)
            except urllib.error.HTTPError as error:
                if body.get("echo") and error.code in {400, 404, 422, 501}:
                    raise _RefusedError from error
                if error.code not in {429, 500, 502, 503, 504} or attempt == 2:
                    raise InputError(f"the suspect {self.url} answered {error.code} {error.reason}") from error
            except (urllib.error.URLError, OSError) as error:
                if attempt == 2:
                    reason = getattr(error, "reason", error)
                    raise InputError(f"the suspect {self.url} cannot be reached: {reason}") from error
            except ValueError as error:
                raise InputError(f"the suspect {self.url} does not answer in JSON") from error
            time.sleep(self.patience * 2**attempt)
        raise InputError(f"the suspect {self.url} cannot be reached")


class _RefusedError(Exception):
    """The endpoint does not echo."""
