"""Where things stand in a drawing; the templates make SVG of it, coloured by the page's own style sheet.

Plots of the report carry their style with them, which the console's security policy forbids.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import networkx as nx

from stillwatch.cases.about import Pair
from stillwatch.cases.waterfall import Bar, Step

WIDE, HIGH, LEFT, BOTTOM, TOP = 1190.0, 190.0, 52.0, 26.0, 18.0
WIDEST = 64.0
"""Of a day."""
MOST_DAYS = 400
"""Days drawn one by one; of longer logs the last ones."""


@dataclass(frozen=True)
class Column:
    """One day."""

    x: float
    y: float
    width: float
    height: float
    day: date
    events: int
    newest: bool


@dataclass(frozen=True)
class Mark:
    """A line or a word at a place."""

    at: float
    text: str


@dataclass(frozen=True)
class Timeline:
    """Events a day."""

    columns: list[Column]
    levels: list[Mark]
    """Heights of round numbers."""
    days: list[Mark]
    released: list[Mark]
    closed: list[Mark]
    width: float = WIDE
    height: float = HIGH
    left: float = LEFT
    base: float = HIGH - BOTTOM


def timeline(
    days: Sequence[tuple[date, int]], released: Sequence[tuple[str, datetime]], closed: Sequence[date]
) -> Timeline | None:
    """The drawing; None if there is nothing."""
    if not days:
        return None
    counts = dict(days)
    last = max(counts)
    first = max(min(counts), last - timedelta(days=MOST_DAYS - 1))
    span = (last - first).days + 1
    top = max(n for day, n in counts.items() if day >= first)
    step = min((WIDE - LEFT - 8) / span, WIDEST)
    high = HIGH - BOTTOM - TOP

    def x(day: date) -> float:
        return LEFT + (day - first).days * step

    columns = [
        Column(x(day) + step * 0.1, HIGH - BOTTOM - high * n / top, step * 0.8, high * n / top, day, n, day == last)
        for day, n in sorted(counts.items()) if day >= first
    ]  # fmt: skip
    levels = [Mark(HIGH - BOTTOM - high * n / top, f"{n:,}") for n in _round(top)]
    every = max(1, round(span / 8))
    shown = [first + timedelta(days=n) for n in range(0, span, every)]
    ticks = [Mark(x(day) + step / 2, f"{day:%d %b}") for day in shown]
    lines = [Mark(x(at.date()), model[:24]) for model, at in released if first <= at.date() <= last]
    ends: dict[date, int] = {}
    for day in closed:
        ends[day] = ends.get(day, 0) + 1
    gone = [Mark(x(day) + step / 2, f"{n:,} closed on {day}") for day, n in ends.items() if first <= day <= last]
    return Timeline(columns, levels, ticks, lines, gone)


def _round(top: int) -> list[int]:
    """Two or three round numbers up to `top`."""
    if top < 2:
        return [top]
    power = 10 ** int(math.log10(top))
    step = next(int(power * part) or 1 for part in (0.5, 1, 2, 5) if top / max(power * part, 1) <= 3.5)
    return list(range(step, top + 1, step))


@dataclass(frozen=True)
class Track:
    """One line of a waterfall, on a scale of 0 to 100."""

    step: Step
    x: float
    width: float
    below: bool
    """Bits that speak against."""


@dataclass(frozen=True)
class Fall:
    """One dimension."""

    bar: Bar
    width: float
    zero: float
    tracks: list[Track]


def falls(bars: Sequence[Bar]) -> list[Fall]:
    """Waterfalls on one scale, so that dimensions can be compared; 0 is a fifth in, room for what speaks against."""
    reach = [1.0]
    for bar in bars:
        at = 0.0
        for step in bar.steps:
            at += step.bits if step.counted and step.bits is not None else 0.0
            reach.append(max(at, step.bits or 0.0))
    zero, scale = 18.0, 80.0 / max(8.0, *reach)
    return [_fall(bar, zero, scale) for bar in bars]


def _fall(bar: Bar, zero: float, scale: float) -> Fall:
    tracks, at = [], 0.0
    for step in bar.steps:
        bits = step.bits or 0.0
        start = at if step.counted else 0.0
        low, high = sorted((start, start + bits))
        left, right = (min(100.0, max(0.0, zero + end * scale)) for end in (low, high))
        tracks.append(Track(step, round(left, 2), round(max(right - left, 0.5), 2), bits < 0))
        at += bits if step.counted else 0.0
    return Fall(bar, round(min(82.0, max(0.0, (bar.bits or 0.0) * scale)), 2), zero, tracks)


@dataclass(frozen=True)
class Dot:
    """An account in a graph."""

    id: str
    x: float
    y: float
    kind: str
    """`proven`, `linked`, `other` (of another operator) or `here`."""
    label: str
    right: bool
    """Its name stands to its right."""


@dataclass(frozen=True)
class Line:
    """A link."""

    x1: float
    y1: float
    x2: float
    y2: float
    kind: str
    text: str


@dataclass(frozen=True)
class Graph:
    """Accounts and links."""

    dots: list[Dot]
    lines: list[Line]
    size: float = 420.0


def ring(kinds: Mapping[str, str], pairs: Sequence[Pair]) -> Graph:
    """An operator's accounts on a circle, neighbours side by side, as in the report."""
    net: nx.Graph[str] = nx.Graph()
    net.add_nodes_from(kinds)
    net.add_edges_from((pair.a, pair.b) for pair in pairs)
    parts = sorted(nx.connected_components(net), key=lambda part: (-len(part), min(part)))
    order = [node for part in parts for node in nx.dfs_preorder_nodes(net, min(part))]
    place = {id: _on_circle(n, len(order), 185.0) for n, id in enumerate(order)}
    dots = [Dot(id, *place[id], kinds[id], id, place[id][0] >= 210) for id in order]
    return Graph(dots, [_line(place, pair.a, pair.b, pair.kind, _things(pair.shared)) for pair in pairs])


def around(here: str, kinds: Mapping[str, str], shared: Mapping[str, tuple[str, str]]) -> Graph:
    """An account in the middle and those that share something rare with it: id -> (kind of link, what is shared)."""
    names = sorted(kinds, key=lambda id: (kinds[id], id))
    place = {id: _on_circle(n, len(names), 150.0) for n, id in enumerate(names)} | {here: (210.0, 210.0)}
    dots = [Dot(id, *place[id], kinds[id], id, place[id][0] >= 210) for id in names]
    lines = [_line(place, here, id, *shared[id]) for id in names]
    return Graph([*dots, Dot(here, 210.0, 210.0, "here", here, True)], lines)


def _on_circle(n: int, of: int, radius: float) -> tuple[float, float]:
    angle = 2 * math.pi * n / max(of, 1) - math.pi / 2
    return round(210 + radius * math.cos(angle), 1), round(210 + radius * math.sin(angle), 1)


def _line(place: Mapping[str, tuple[float, float]], a: str, b: str, kind: str, text: str) -> Line:
    return Line(*place[a], *place[b], kind, text)


def _things(n: int) -> str:
    return f"{n:,} rare thing{'s' if n != 1 else ''} shared"
