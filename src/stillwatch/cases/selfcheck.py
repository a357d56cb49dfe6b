"""A selfcheck for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from stillwatch.cases.text import visible
from stillwatch.engine.runfolder import RunFolder

STYLE = {"observed": "bold yellow", "not_observed": "green", "not_available": "dim"}


def render(run: RunFolder) -> Iterator[RenderableType]:
    """The parts of the summary, fit for 80 columns."""
    said = run.manifest()
    log, background = said["log"], said["background"]
    yield Text(
        f"{log['events']:,} requests of {len(log['accounts']):,} accounts, {log['first_day']} to {log['last_day']}, "
        f"at most {log['most_on_a_day']:,} a day"
    )
    if background is None:
        yield Text(
            "no background was given (--background RUN): nothing can be said of how this compares", style="yellow"
        )
    else:
        shifted = background["shifted_by_days"]
        moved = f"; the log was moved by {shifted} days to meet it" if shifted else ""
        yield Text(f"against {background['accounts']:,} lone accounts of {visible(background['run'], 60)}{moved}")
        if background["pseudonyms"] != "none":
            yield Text("its accounts bear pseudonyms: should yours be among them, they count as others", style="yellow")
    rows = sorted(run.read("selfcheck").to_pylist(), key=lambda row: (row["dimension"], -(row["bits"] or -99)))
    yield _table([row for row in rows if row["outcome"] != "not_available" or background is None])
    none = [f"{row['signal']} ({row['why']})" for row in rows if row["outcome"] == "not_available"]
    if background is not None and none:
        yield Text("not available, which is not the same as in order: " + "; ".join(none), style="dim")
    if said["stands_out"]:
        yield Text("stands out: " + ", ".join(said["stands_out"]), style="bold")
    elif background is not None:
        yield Text("nothing stands out in what could be looked at")
    for name, text in said["advice"].items():
        yield Text(f"{name}: {text}")
    yield Text(f"verdict {said['verdict']}", style="dim")


_NUMBERS = (("bits", 1), ("statistic", 2), ("null", 2))


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for place, name in enumerate(("dimension", "signal", "outcome", "bits", "yours", "usual")):
        table.add_column(name, justify="right" if place > 2 else "left", no_wrap=True)
    for row in rows:
        numbers = ("" if row[name] is None else f"{row[name]:.{digits}f}" for name, digits in _NUMBERS)
        outcome = Text(row["outcome"].replace("_", " "), style=STYLE[row["outcome"]])
        table.add_row(row["dimension"], row["signal"], outcome, *numbers)
    return table
