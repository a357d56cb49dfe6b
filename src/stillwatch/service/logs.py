"""Structured logs: a line of JSON each. What is logged is words of our own; no text, no key, no id of a customer."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

LOG = logging.getLogger("stillwatch.service")


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        line: dict[str, Any] = {"at": at, "level": record.levelname.lower(), "what": record.getMessage()}
        line |= getattr(record, "facts", {})
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__  # its text may quote what was sent
        return json.dumps(line, ensure_ascii=True, default=str)


def begin(level: int = logging.INFO) -> None:
    """Write to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    LOG.handlers[:] = [handler]
    LOG.setLevel(level)
    LOG.propagate = False


def say(what: str, *, level: int = logging.INFO, error: BaseException | None = None, **facts: Any) -> None:
    """A line."""
    LOG.log(level, what, extra={"facts": facts}, exc_info=error)
