"""An account's or operator's evidence as a waterfall of bits in the terminal."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape

from stillwatch.cases.look import ACCUSED, Look, looking
from stillwatch.cases.text import visible
from stillwatch.cases.waterfall import Bar, Step, waterfall
from stillwatch.engine.runfolder import RunFolder
from stillwatch.errors import UsageError

WIDTH = 24
BITS = 24.0
"""Bits that fill a bar."""


@dataclass(frozen=True)
class Explanation:
    """What is known of one operator, and of the account that was asked for if it was one."""

    verdict: dict[str, Any]
    bars: list[Bar]
    explanations: list[dict[str, Any]]
    account: dict[str, Any] | None
    members: list[dict[str, Any]]
    streams: list[dict[str, Any]]
    """Of the account if one was asked for, else of the operator's accounts and of others that carry its requests."""
    examples: list[str]
    """Ids of the first events of the account's streams."""


def explain(run: RunFolder, id: str) -> Explanation:
    """Look up an operator or an account; UsageError with near matches if there is none of that id."""
    manifest = run.manifest()
    with looking(run) as look:
        account = look.one("select * from operators where account_id = ?", id)
        operator = account["operator_id"] if account else id
        verdict = look.one("select * from verdicts where operator_id = ?", operator)
        if verdict is None:
            raise UsageError(f"{visible(id, 80)}: no such operator or account in {run.root}{_near(look, id)}")
        members = look.rows(
            "select * from operators where operator_id = ? order by membership_bits desc, account_id limit 10", operator
        )
        streams = [s for s in look.streams(operator) if not account or s["account_id"] == id]
        examples = look.rows(
            "select event_id from stream_events join sketches using (event_id) where stream_events.account_id = ? "
            "order by time, event_id limit 5", id
        ) if streams else []  # fmt: skip
        bars = waterfall(look.evidence(operator), manifest.get("signals", []))
    return Explanation(verdict, bars, manifest.get("explanations", {}).get(operator, []), account, members,
                       streams, [row["event_id"] for row in examples])  # fmt: skip


def _near(look: Look, id: str) -> str:
    names = [
        row["id"] for row in look.rows("select operator_id as id from verdicts union select account_id from operators")
    ]
    near = difflib.get_close_matches(id, names, n=3, cutoff=0.6) or [name for name in names if name.startswith(id)][:3]
    return "; near: " + ", ".join(visible(name, 60) for name in near) if near else ""


def render_explanation(console: Console, found: Explanation) -> None:
    """Print it; ASCII only where the output is not a terminal."""
    fancy = console.is_terminal and console.encoding.startswith("utf")
    row, say = found.verdict, console.print
    style = "bold red" if row["verdict"] == ACCUSED else "bold"
    say(f"[{style}]{escape(visible(row['operator_id'], 80))}  {row['verdict']}[/]", highlight=False)
    fdr = "" if row["fdr"] is None else f", false-discovery rate {row['fdr']:.2g}"
    period = f"{row['first_seen']:%Y-%m-%d} to {row['last_seen']:%Y-%m-%d}" if row["first_seen"] else "never seen"
    say(f"{row['accounts']:,} accounts, {row['events']:,} events, {period}{fdr}", highlight=False)
    if found.account:
        grade = "proven" if found.account["proven"] else "linked, not proven"
        bits = found.account["membership_bits"]
        say(
            f"account {escape(visible(found.account['account_id'], 80))}: {grade}, {bits:.1f} bits of membership",
            highlight=False,
        )
    for line in stream_lines(found):
        say(line, highlight=False, soft_wrap=True)
    for bar in found.bars:
        total = "not available" if bar.bits is None else f"{bar.bits:+.1f} bits"
        say(f"\n[bold]{bar.dimension}[/]  {total}", highlight=False)
        start = 0.0
        for step in bar.steps:
            say(_line(step, start, fancy), highlight=False, soft_wrap=True)
            start += step.bits if step.counted and step.bits is not None else 0.0
    say("\n[bold]innocent explanations tried[/]", highlight=False)
    for fit in found.explanations:
        against = ", ".join(f"{name} {bits:.1f}" for name, bits in fit["against"][:4])
        tail = f"; against it: {against}" if against else ""
        say(f"  {fit['fit_bits']:+7.1f}  {escape(fit['name'])}: {escape(fit['text'])}" + tail,
            highlight=False, soft_wrap=True)  # fmt: skip
    if not found.explanations:
        say("  none needed: " + escape(visible(row["innocent_explanation"] or "nothing was found")), highlight=False)


def stream_lines(found: Explanation) -> list[str]:
    """What is said of streams: those of the account, or how much an operator sends and how much is cover."""
    own = [s for s in found.streams if s["role"] == "member"]
    if found.account:
        out = []
        for s in found.streams:
            whose = "its operator's" if s["role"] == "member" else escape(visible(s["operator_id"], 80))
            out.append(
                f"stream ({s['role']}): {s['events']:,} events ({s['share']:.0%}) are {whose}, {s['since']:%Y-%m-%d} "
                f"to {s['until']:%Y-%m-%d}, told by {s['kinds'].replace(',', ', ')}"
            )
        examples = ", ".join(escape(visible(name, 60)) for name in found.examples)
        return [*out, *([f"first of these events: {examples}"] if examples else [])]
    others = [s for s in found.streams if s["role"] != "member" and s["operator_id"] == found.verdict["operator_id"]]
    lines = (
        [f"{sum(s['events'] for s in own):,} events of its accounts are its stream's, the rest is cover"] if own else []
    )
    if others:
        total = sum(s["events"] for s in others)
        lines.append(f"and {total:,} events more over {len(others):,} accounts that are not its own")
    return lines


def _line(step: Step, start: float, fancy: bool) -> str:
    """One finding: its bar from where the last one ended, bits, and what was measured against what."""
    measured = "" if step.statistic is None else f", {step.statistic:.3g}"
    null = "" if step.null is None else f" against {step.null:.3g}"
    if step.bits is None:
        # a condition, worth no bits, is not the same as what could not be looked at
        looked = step.outcome != "not_available"
        said = f"{step.outcome.replace('_', ' ')}{measured}{null}" if looked else "not available"
        return f"  {'':{WIDTH}}  {'' if looked else 'n/a':>7}  {step.signal}: {said}"
    full, scale = ("█", "·") if fancy else ("#", ".")
    low, high = sorted((start, start + step.bits))
    cells = [full if step.counted and low <= (k + 0.5) * BITS / WIDTH < high else scale for k in range(WIDTH)]
    note = "" if step.counted else " (counted once, under another signal)"
    return (
        f"  {''.join(cells)}  {step.bits:+7.1f}  {step.signal}: {step.outcome.replace('_', ' ')}{measured}{null}{note}"
    )
