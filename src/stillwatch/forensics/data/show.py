"""A trace for a terminal: what was found, the tests, whose answers, and what it does not show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from stillwatch.cases.text import visible
from stillwatch.engine.runfolder import RunFolder


def render(run: RunFolder, most: int = 10) -> Iterator[RenderableType]:
    """The parts of the summary, fit for 80 columns."""
    said = run.manifest()
    yield _corpora(said)
    yield _tests(said)
    operators = run.read("operators")
    yield _holders(run, "operators" if len(operators) else "accounts", most)
    if len(operators):
        yield _holders(run, "accounts", most)
    yield Text(said["conclusion"], style="bold")
    yield Text("Not shown:")
    for line in said["not_shown"]:
        yield Padding(Text("· " + line, style="dim"), (0, 0, 0, 2))
    left = "; ".join(one["name"] for one in said["innocent_explanations"] if one["remains"])
    yield Text(f"Remaining innocent explanations: {left}.")


def _plain() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), caption_justify="left", header_style="dim")


def _corpora(said: dict[str, Any]) -> Table:
    table = _plain()
    table.add_column("corpus", max_width=26, no_wrap=True)
    for name in ("texts", "exact", "near", "leads", "counted", "share [95 %]"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in said["corpora"]:
        name = f"{'control ' if row['role'] == 'control' else ''}{_tail(row['corpus'])}"
        table.add_row(
            visible(name), *(f"{row[one]:,}" for one in ("texts", "exact", "near", "leads", "counted")), _share(row)
        )
    rejected = said["corpus"]["rejected"]
    table.caption = (
        f"{said['answers']['traceable']:,} of {said['answers']['served']:,} answers known can be traced; "
        f"rows without use: {rejected:,}"
    )
    return table


def _tail(name: str, most: int = 18) -> str:
    return name if len(name) <= most else "…" + name[-most:]


def _share(row: dict[str, Any]) -> str:
    digits = 0 if row["share"] >= 0.1 else 1 if row["share"] >= 0.01 else 3
    return f"{row['share']:.{digits}%} [{row['low']:.{digits}%}, {row['high']:.{digits}%}]"


def _tests(said: dict[str, Any]) -> RenderableType:
    if not said["tests"]:
        return Text(
            "p-value  not available: give answers drawn and never served (--unserved), or control corpora (--control)",
            style="yellow",
        )
    table = _plain()
    table.add_column("test", no_wrap=True)
    for name in ("n", "observed", "expected", "p", "p x tests", "exact"):
        table.add_column(name, justify="right", no_wrap=True)
    for test in said["tests"]:
        p, adjusted = (_p(test[name]) for name in ("p_value", "adjusted"))
        numbers = f"{test['n']:,}", f"{test['observed']:,.0f}", f"{test['expected']:,.1f}"
        table.add_row(test["test"], *numbers, p, adjusted, "yes" if test["exact"] else "no")
    return table


def _p(value: float | None) -> str:
    if value is None:
        return "not available"
    return f"{value:.2g}" if value > 1e-300 else "< 1e-300"


def _holders(run: RunFolder, name: str, most: int) -> Table:
    """The operators or accounts with most copies."""
    rows = run.read(name)
    table = _plain()
    table.add_column(name.removesuffix("s"), max_width=18, no_wrap=True)
    for head in ("answers", "exact", "near", "leads", "there [95 %]", "days"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in rows.slice(0, most).to_pylist():
        first, last = row["first_day"], row["last_day"]
        days = "" if first is None else f"{first:%m-%d}" if first == last else f"{first:%m-%d}..{last:%m-%d}"
        counts = (f"{row[one]:,}" for one in ("answers", "exact", "near", "leads"))
        table.add_row(visible(row[f"{name.removesuffix('s')}_id"]), *counts, _share(row), days)
    rest = len(rows) - most
    if rest > 0:
        table.caption = f"and {rest:,} more: {name}.parquet"
    return table
