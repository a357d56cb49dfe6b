"""The slow twin of synchrony and load balancing: squares of hourly changes, hour by hour."""

from __future__ import annotations

import math
from collections import Counter

from tests.signals.builders import START, Row
from tests.signals.random_world import NAN, World


def starts(rows: list[Row]) -> list[int]:
    """Hours (since START) in which conversations start."""
    return [int((r["time"] - START).total_seconds() // 3600) for r in rows if r["turns"] is None or r["turns"] <= 1]


def changes(hours: list[int], first: int, last: int) -> list[float]:
    """Hourly changes scaled to unit length; none if activity never changes."""
    count = Counter(hours)
    raw = [count[hour + 1] - count[hour] for hour in range(first, last)]
    length = math.sqrt(sum(change**2 for change in raw))
    return [change / length for change in raw] if length else []


def variance_ratio(world: World, members: list[str]) -> float:
    log = starts(world.rows)
    first, last = min(log), max(log)
    moving = [own for name in members if (own := changes(starts(world.events([name])), first, last))]
    if len(members) < 3 or len(starts(world.events(members))) < 24 or len(moving) < 2:
        return NAN
    return max(sum(sum(hour) ** 2 for hour in zip(*moving, strict=True)), 0.01) / len(moving)
