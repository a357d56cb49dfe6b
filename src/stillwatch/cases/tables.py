"""The tables that commands print at their end: operators, looks, groups."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from stillwatch.cases.look import ACCUSED, looking
from stillwatch.cases.text import visible
from stillwatch.engine.runfolder import RunFolder
from stillwatch.judging.record import said
from stillwatch.model import Dimension

STYLE = {
    ACCUSED: "bold red",
    "inconclusive": "yellow",
    "compromised_account": "magenta",
    "authorised_distillation": "green",
}


def operators_table(run: RunFolder, most: int = 20) -> Table:
    """Operators whose verdict is not `ordinary`, at most `most`, fit for 80 columns; the caption counts the rest."""
    with looking(run) as look:
        rows = [row for row in look.operators(10 * most) if row["verdict"] != "ordinary"][:most]
        tally = look.rows("select verdict, count(*) as n from verdicts where events > 0 group by all order by verdict")
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), caption_justify="left", header_style="dim")
    table.add_column("operator", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for name in ("accounts", "events", "source", "scale", "transp.", "purpose", "fdr"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row))
    table.caption = "evidence in bits a dimension; in all " + ", ".join(
        f"{row['n']:,} {row['verdict'].replace('_', ' ')}" for row in tally
    )
    return table


def looks_table(replayed: RunFolder) -> Table:
    """A replay's looks, one row each: who is accused, who is new, who is accused no longer."""
    heads = ("look", "events", "accounts", "level", "operators", "new", "withdrawn", "accused", "new", "withdrawn")
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for place, name in enumerate(heads):
        table.add_column(name, justify="right" if place else "left", no_wrap=True)
    rows = replayed.read("looks").to_pylist()
    times = [said(row["until"]) for row in rows]
    if len({len(time) for time in times}) > 1:
        times = [time[5:] for time in times]  # hours need the room of the year
    for time, row in zip(times, rows, strict=True):
        counts = [row[f"{kind}_{what}"] for kind, what in (
            ("operators", "accused"), ("new", "operators"), ("operators", "withdrawn"),
            ("accounts", "accused"), ("new", "accounts"), ("accounts", "withdrawn"),
        )]  # fmt: skip
        head = [time, _short(row["events"]), f"{row['accounts']:,}", f"{row['level']:.1g}"]
        table.add_row(*head, *(f"{count:,}" if count else "" for count in counts))
    return table


def groups_table(run: RunFolder, most: int = 20) -> Table:
    """The groups of `stillwatch link`, the largest `most`; the caption counts the rest and the false links."""
    groups, manifest = run.read("groups"), run.manifest()
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), caption_justify="left", header_style="dim")
    table.add_column("group", no_wrap=True)
    for name in ("accounts", "links", "bits"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("found by", no_wrap=True)
    table.add_column("views")
    for row in groups.slice(0, most).to_pylist():
        counts = [f"{row['accounts']:,}", f"{row['links']:,}", f"{row['bits']:.1f}"]
        table.add_row(visible(row["operator_id"], 40), *counts, row["found_by"], Text(visible(row["views"], 60)))
    counts, fake = manifest["counts"], manifest["shuffled"]
    table.caption = Text(
        f"{counts['accounts']:,} accounts, {counts['links']:,} links, {counts['groups']:,} groups of "
        f"{counts['accounts_in_groups']:,} accounts; on a shuffle that keeps every degree, where all are false: "
        f"{fake['links']:,} links, {fake['groups']:,} groups"
    )
    return table


def _cells(row: dict[str, Any]) -> list[Text | str]:
    bits = [row[f"bits_{dimension.value}"] for dimension in Dimension]
    verdict = row["verdict"]
    return [
        visible(row["operator_id"], 40),
        Text(verdict.split("_")[0] if verdict != "heavy_use" else "heavy use", style=STYLE.get(verdict, "")),
        f"{row['accounts']:,}",
        _short(row["events"]),
        *("n/a" if value is None else f"{value:.1f}" for value in bits),
        "" if row["fdr"] is None else f"{row['fdr']:.1g}",
    ]


def _short(n: int) -> str:
    """12,345,678 as 12.3M."""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if n >= 10 * size:
            return f"{n / size:.1f}{unit}" if n < 100 * size else f"{n / size:.0f}{unit}"
    return f"{n:,}"
