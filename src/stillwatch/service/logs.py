"""Structured logs: a line of JSON each. What is logged is words of our own; no text, no key, no id of a customer."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

LOG = logging.getLogger("stillwatch.service")
_PLAIN = "uvicorn"
"""The library whose words may be repeated, without what it puts into them; those of others may quote what was sent."""


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        line: dict[str, Any] = {"at": at, "level": record.levelname.lower()}
        if record.name == LOG.name:
            line |= {"what": record.getMessage(), **getattr(record, "facts", {})}
        else:
            line |= {"what": "a library warns", "library": record.name, "place": f"{record.module}:{record.lineno}"}
            if record.name.partition(".")[0] == _PLAIN:
                line["said"] = str(record.msg).strip()
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__  # its text may quote what was sent
        return json.dumps(line, ensure_ascii=True, default=str)


def begin(level: int = logging.INFO) -> None:
    """Write to standard error; what libraries warn of too, which Python would write there as it is."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    LOG.handlers[:] = [handler]
    logging.getLogger().handlers[:] = [handler]
    LOG.setLevel(level)
    LOG.propagate = False


def say(what: str, *, level: int = logging.INFO, error: BaseException | None = None, **facts: Any) -> None:
    """A line."""
    LOG.log(level, what, extra={"facts": facts}, exc_info=error)
