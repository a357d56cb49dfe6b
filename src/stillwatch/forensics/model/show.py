"""What `stillwatch trace model` prints: the tier, a table of tests, and what it does not show."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from stillwatch.cases.text import visible
from stillwatch.forensics.model.trace import Traced
from stillwatch.forensics.model.verdict import Finding, power_of_ten

STYLE = {"accusation": "bold red", "lead": "yellow", "void": "magenta", "nothing shown": ""}


def result_table(done: Traced) -> Iterator[RenderableType]:
    """Parts to print, fit for 80 columns."""
    judgement = done.judgement
    yield Text.assemble(
        visible(done.suspect, 60), ": ", (judgement.tier, STYLE[judgement.tier]), f" ({judgement.because})"
    )
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), caption_justify="left", header_style="dim")
    table.add_column("statistic", no_wrap=True)
    table.add_column("key", no_wrap=True)
    for head in ("n", "seen", "chance", "z", "p", "corrected", "random"):
        table.add_column(head, justify="right", no_wrap=True)
    for finding in sorted(judgement.findings, key=lambda f: (f.statistic, f.role == "control", f.key)):
        table.add_row(*_cells(finding))
    table.caption = Text(
        f"corrected for {judgement.tests:,} tests (Holm), controls among themselves; random: random keys or flips that "
        "did as well. An accusation needs 1e-6 and null controls."
    )
    yield table
    for name, why in done.result["not_available"].items():
        yield Text(f"not available: {name} ({why})")
    for note in done.result["notes"]:
        yield Text(f"note: {visible(note, 200)}")
    yield Text("does not show: " + "; ".join(done.result["not_shown"]))
    yield Text(f"result   {done.path}", overflow="fold")


def _cells(finding: Finding) -> list[Text | str]:
    control = finding.role == "control"
    return [
        finding.statistic,
        Text(visible(finding.key, 24), style="dim" if control else ""),
        f"{finding.units:,}",
        f"{finding.observed:.4g}",
        f"{finding.expected:.4g}",
        f"{finding.z:.1f}",
        power_of_ten(finding.log10_p),
        ("control " if control else "") + power_of_ten(finding.log10_adjusted),
        f"{finding.as_large}/{finding.checks}" if finding.checks else "",
    ]
