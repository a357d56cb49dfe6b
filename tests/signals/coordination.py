"""The slow twin of synchrony and load balancing: squares of hourly changes, hour by hour."""

from __future__ import annotations

from collections import Counter

from tests.signals.builders import START, Row
from tests.signals.random_world import NAN, World


def starts(rows: list[Row]) -> list[int]:
    """Hours (since START) in which conversations start."""
    return [int((r["time"] - START).total_seconds() // 3600) for r in rows if r["turns"] is None or r["turns"] <= 1]


def squares(hours: list[int], first: int, last: int) -> int:
    count = Counter(hours)
    return sum((count[hour + 1] - count[hour]) ** 2 for hour in range(first, last))


def variance_ratio(world: World, members: list[str]) -> float:
    log = starts(world.rows)
    first, last = min(log), max(log)
    pooled = starts(world.events(members))
    own = sum(squares(starts(world.events([name])), first, last) for name in members)
    if len(members) < 3 or len(pooled) < 24 or not own:
        return NAN
    return max(squares(pooled, first, last), 1) / own
