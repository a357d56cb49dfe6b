"""Templates: every value is escaped, every unknown name is an error, and every string of a log is made visible."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from stillwatch.cases.text import FILTERS, visible
from stillwatch.decisions.actions import Action
from stillwatch.service.keys import Role


@cache
def environment() -> Environment:
    """The templates' surroundings."""
    made = Environment(
        loader=PackageLoader("stillwatch.service.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= FILTERS
    made.filters |= {
        "path": path,
        "when": when,
        "ago": ago,
        "percent": percent,
        "plain": plain,
        "prose": prose,
        "rate": rate,
    }
    made.globals |= {"Action": Action, "Role": Role}
    return made


def render(name: str, words: Mapping[str, Any]) -> str:
    """A page. Lone surrogates of a hostile log become question marks."""
    page = environment().get_template(name).render(words)
    return page.encode("utf-8", "replace").decode("utf-8")


def path(id: str) -> str:
    """An id as one part of a path."""
    return quote(id, safe="", errors="replace")


def prose(text: str, most: int = 4000) -> str:
    """What people wrote, with its lines; nothing else in it may act."""
    return "\n".join(visible(line, most) for line in text[:most].split("\n"))


def when(value: datetime | None) -> str:
    """Day and minute, UTC."""
    return "–" if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"


def ago(value: datetime | None, now: datetime) -> str:
    """How long before `now`, in one unit."""
    if value is None:
        return "never"
    gone = now - value
    if gone < timedelta(0):
        return f"in {_long(-gone)}"
    return "now" if gone < timedelta(minutes=1) else f"{_long(gone)} ago"


def _long(gone: timedelta) -> str:
    minutes = int(gone.total_seconds() // 60)
    for unit, size in (("day", 1440), ("hour", 60)):
        if minutes >= size:
            n = minutes // size
            return f"{n:,} {unit}{'s' if n > 1 else ''}"
    return f"{minutes} minute{'s' if minutes != 1 else ''}"


def percent(value: float | None) -> str:
    """A share, with a digit where it is small."""
    if value is None:
        return "–"
    return f"{100 * value:.0f} %" if value >= 0.1 or value == 0 else f"{100 * value:.1g} %"


def rate(value: float | None) -> str:
    """Two digits."""
    return "–" if value is None else f"{value:.2g}"


def plain(word: str) -> str:
    """An identifier of ours as words."""
    return word.replace("_", " ")
