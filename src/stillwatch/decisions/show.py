"""A trial and a check of the audit log for the terminal. Names come from files, so nothing in them may steer it."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator

import pyarrow as pa
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from stillwatch.decisions.actions import Action
from stillwatch.decisions.audit import Verification
from stillwatch.decisions.traffic import Amount
from stillwatch.decisions.trial import LabelReach, RuleReach, Side, Trial, Yardstick

STYLE = {"block": "bold red", "throttle": "red", "verify": "yellow", "monitor": "cyan", "allow": "green"}
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def render_trial(trial: Trial) -> Iterator[RenderableType]:
    """Rules and whom they hit; then honest traffic by each yardstick."""
    yield _rules(trial)
    for yardstick in trial.yardsticks:
        yield Text()
        yield _sides(yardstick, trial.currency)
        if yardstick.name == "truth":
            yield Text()
            yield _labels(yardstick)
    if trial.unpriced:
        models = ", ".join(f"{clean(model)} ({n:,} requests)" for model, n in list(trial.unpriced.items())[:8])
        yield Text(f"no price, so no revenue: {models}", style="yellow")
    mode = "shadow: nothing is enforced" if trial.mode == "shadow" else "enforce"
    yield Text(f"\nmode {mode}. The verdicts of the run's end are laid over all of its traffic.", style="dim")


def _table(*heads: str, left: int = 1) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim", caption_justify="left")
    for place, name in enumerate(heads):
        table.add_column(name, justify="left" if place < left else "right", no_wrap=name != "does", vertical="bottom")
    return table


def _rules(trial: Trial) -> Table:
    table = _table("rule", "does", "accounts", "opera-\ntors", "requests", "turned\naway", "if\napproved", left=2)
    for reach in trial.rules:
        if reach.accounts or reach.rule:
            table.add_row(*_rule(reach, trial.total), style="" if reach.accounts else "dim")
    return table


def _rule(reach: RuleReach, total: Amount) -> tuple[Text, ...]:
    does = Text(reach.action, style=STYLE[reach.action])
    if reach.rate:
        does.append(f" {reach.rate}", style="dim")
    if reach.scope != "account":
        does.append(f" ({reach.scope})", style="dim")
    cells = (
        f"{reach.accounts:,}",
        f"{reach.operators:,}",
        _share(reach.touched.requests, total.requests),
        _share(reach.turned_away.requests, total.requests) if Action(reach.action).restricts else "",
        _share(reach.turned_away_if_approved.requests, total.requests) if reach.proposed else "",
    )
    return Text(clean(reach.rule, 21) or "(no rule fits)"), does, *map(Text, cells)


def _sides(yardstick: Yardstick, currency: str | None) -> Table:
    by = "the run's own verdicts" if yardstick.name == "verdict" else "the truth"
    table = _table(f"by {by}", "accounts", "restricted", "requests\nrestricted", "turned\naway", "if\napproved")
    for name, side in (("honest", yardstick.honest), ("harvest", yardstick.harvest)):
        table.add_row(*map(Text, _side(name, side)))
    for name, side in (("honest", yardstick.honest), ("harvest", yardstick.harvest)):
        table.add_row(*map(Text, _of(f"  {name}, tokens", side, lambda amount: amount.tokens)), style="dim")
        if currency:
            table.add_row(*map(Text, _of(f"  {name}, {clean(currency)}", side, lambda amount: amount.revenue)),
                          style="dim")  # fmt: skip
    if yardstick.unknown_accounts:
        table.caption = f"{yardstick.unknown_accounts:,} accounts of the run are not in the truth"
    return table


def _side(name: str, side: Side) -> tuple[str, ...]:
    restricted = f"{side.accounts_restricted:,}"
    return name, f"{side.accounts:,}", restricted, *_of("", side, lambda amount: amount.requests)[3:]


def _of(name: str, side: Side, what: Callable[[Amount], float]) -> tuple[str, ...]:
    amounts = (side.restricted, side.turned_away, side.turned_away_if_approved)
    return name, "", "", *(_share(what(amount), what(side.total)) for amount in amounts)


def _labels(yardstick: Yardstick) -> Table:
    table = _table("label", "accounts", *(action.value for action in Action if action is not Action.BLOCK),
                   "block\nproposed")  # fmt: skip
    for label in yardstick.by_label:
        restricted = sum(n for action, n in label.actions.items() if Action(action).restricts)
        table.add_row(*map(Text, _label(label)), style="bold" if restricted and label.label != "campaign" else "")
    return table


def _label(label: LabelReach) -> tuple[str, ...]:
    counts = [label.actions.get(action.value, 0) for action in Action if action is not Action.BLOCK]
    return clean(label.label), f"{label.accounts:,}", *(f"{n:,}" if n else "" for n in (*counts, label.blocks_proposed))


def _share(part: float, whole: float) -> str:
    """A percentage, with enough digits that few is not shown as none."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if part == 0:
        return "0"
    return f"{percent:.1f} %" if percent >= 1 else f"{percent:.2g} %"


def render_verification(found: Verification) -> Iterator[RenderableType]:
    """Sound or not, and what that does and does not prove."""
    for problem in found.problems[:50]:
        yield Text(problem, style="red")
    if len(found.problems) > 50:
        yield Text(f"and {len(found.problems) - 50:,} problems more", style="red")
    if not found.sound:
        yield Text(f"NOT SOUND: {len(found.problems):,} problems in {found.entries:,} entries", style="bold red")
        return
    yield Text(f"sound: {found.entries:,} entries, each follows the one before it", style="green")
    if found.head:
        yield Text(f"head   {found.head}")
    if found.covered:
        left = found.entries - found.covered
        rest = f"; the {left:,} after it could have been cut off or replaced" if left else ""
        yield Text(f"entries 1 to {found.covered:,} are those of the head that was given{rest}")
    else:
        yield Text(
            "No head was given that was kept apart from the log. So this does not show that nothing is missing at the "
            "end, nor that the log was not made anew as a whole. Keep the head above elsewhere; give it with --head.",
            style="yellow",
        )


def verification_json(found: Verification) -> str:
    """The same as one JSON object."""
    said = {
        "sound": found.sound,
        "entries": found.entries,
        "head": None if found.head is None else str(found.head),
        "covered_by_heads_given": found.covered,
        "problems": list(found.problems),
    }
    return json.dumps(said, indent=1, sort_keys=True)


def decisions_summary(table: pa.Table, mode: str, killed: str) -> Iterator[RenderableType]:
    """How many accounts are decided on how, and by what."""
    counts = Counter(
        (row["would"], row["proposed"] or "", row["by"])
        for row in table.select(["account_id", "would", "proposed", "by"]).to_pylist()
        if row["account_id"] is not None
    )
    shown = _table("would", "proposed", "by", "accounts", left=3)
    for would, proposed, by in sorted(counts, key=lambda key: (-Action(key[0]).gravity, key)):
        cells = (Text(would, style=STYLE[would]), proposed, by.replace("_", " "), f"{counts[would, proposed, by]:,}")
        shown.add_row(*cells)
    yield shown
    why = "the kill switch is on" if killed else "" if mode == "enforce" else "mode shadow"
    yield Text(f"recorded, not enforced: {why}" if why else "enforced", style="dim")


def clean(text: object, most: int = 80) -> str:
    """Text with what would act on a terminal shown as code points."""
    raw = str(text)
    shown = "".join(f"\\u{ord(c):04x}" if unicodedata.category(c) in _HIDDEN else c for c in raw[:most])
    return shown + ("…" if len(raw) > most else "")
