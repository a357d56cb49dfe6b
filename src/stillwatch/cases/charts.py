"""Charts as inline SVG: matplotlib draws, the page's own colours paint, text stays text."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import matplotlib as mpl
import matplotlib.dates as mdates
import networkx as nx
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

PAINT = {
    "#010101": "var(--ink)",
    "#020202": "var(--faint)",
    "#030303": "var(--accent)",
    "#040404": "var(--warn)",
    "#050505": "var(--soft)",
}
INK, FAINT, ACCENT, WARN, SOFT = PAINT
STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "stillwatch", "font.family": "sans-serif", "font.size": 9,
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": FAINT, "xtick.color": INK, "ytick.color": INK,
}  # fmt: skip


@dataclass(frozen=True)
class Edge:
    """A link between two of the drawn accounts, by their places."""

    a: int
    b: int
    kind: str


def _svg(figure: Figure, title: str) -> Markup:
    """The figure as an SVG element without size, date or ids that vary."""
    out = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(
            out, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None, "Creator": None}
        )
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'font: ([^;"]*?)[\'"]?sans-serif[\'"]?[^;"]*', r"font: \1sans-serif", text)
    for colour, variable in PAINT.items():
        text = text.replace(colour, variable)
    text = text.replace("<svg", '<svg role="img"', 1)
    # built by matplotlib from numbers and escaped labels only
    return Markup(
        re.sub(r"(<svg[^>]*>)", lambda m: f"{m.group(1)}<title>{Markup.escape(title)}</title>", text, count=1)
    )


def timeline(
    days: Sequence[date], events: Sequence[int], releases: Sequence[tuple[str, datetime]], closures: Sequence[date]
) -> Markup:
    """Events a day, with releases as lines and closures of accounts as marks."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 2.0))
        axes = figure.add_subplot()
        axes.bar(mdates.date2num(list(days)), events, width=0.8, color=ACCENT, linewidth=0)
        top = max(events, default=1)
        for model, at in releases:
            if days and days[0] <= at.date() <= days[-1]:
                axes.axvline(mdates.date2num(at), color=INK, linewidth=0.8, linestyle=(0, (3, 2)))
                axes.text(
                    mdates.date2num(at) + 0.1, top * 1.04, f"{model[:24]} released", fontsize=7.5, parse_math=False
                )
        if closures:
            axes.plot(mdates.date2num(list(closures)), [-0.05 * top] * len(closures), "|", color=WARN, markersize=5)
        axes.set_ylim(-0.1 * top if closures else 0, top * 1.16)
        axes.xaxis.set_major_formatter(mdates.DateFormatter("%d %b"))
        axes.xaxis.set_major_locator(mdates.AutoDateLocator(maxticks=8))
        axes.set_ylabel("events a day")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.yaxis.set_major_locator(mpl.ticker.MaxNLocator(4, integer=True))
        axes.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 0 else ""))
        return _svg(figure, "events a day")


def graph(nodes: int, proven: Sequence[bool], edges: Sequence[Edge]) -> Markup:
    """Accounts as dots, links as lines; hollow dots are linked but not proven."""
    net: nx.Graph[int] = nx.Graph()
    net.add_nodes_from(range(nodes))
    net.add_edges_from((edge.a, edge.b) for edge in edges)
    # neighbours side by side on a circle: chords stay readable where a force layout makes a knot
    parts = sorted(nx.connected_components(net), key=lambda part: (-len(part), min(part)))
    order = [node for part in parts for node in nx.dfs_preorder_nodes(net, min(part))]
    angle = np.empty(nodes)
    angle[order] = np.linspace(0, 2 * np.pi, nodes, endpoint=False)
    place = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.2, 3.4))
        axes = figure.add_subplot()
        for kind, colour in (("content", FAINT), ("control", SOFT)):
            for edge in edges:
                if edge.kind == kind:
                    ends = place[[edge.a, edge.b]]
                    axes.plot(ends[:, 0], ends[:, 1], color=colour, linewidth=0.5, zorder=1)
        sure = np.asarray(proven, dtype=bool)
        axes.scatter(place[sure, 0], place[sure, 1], s=14, color=ACCENT, linewidth=0, zorder=2)
        axes.scatter(
            place[~sure, 0], place[~sure, 1], s=14, facecolor="none", edgecolor=ACCENT, linewidth=0.8, zorder=2
        )
        axes.set_axis_off()
        axes.set_aspect("equal", "datalim")
        return _svg(figure, "accounts and the links between them")
