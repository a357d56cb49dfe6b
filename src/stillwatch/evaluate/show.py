"""An evaluation for the terminal. Names come from a file, so nothing in them may steer the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from stillwatch.evaluate.evaluation import Evaluation, LabelResult, OperatorResult


def render(evaluation: Evaluation) -> Iterator[RenderableType]:
    """Headline figures, then campaigns, then everybody who must not be accused; each a Rich renderable."""
    yield _headline(evaluation)
    if evaluation.by_campaign:
        yield Text()
        yield _campaigns(evaluation)
    if evaluation.by_label:
        yield Text()
        yield _labels(evaluation)
    for title, operators in (("permitted distillers", evaluation.permitted), ("stolen keys", evaluation.compromised)):
        if operators:
            yield Text()
            yield _operators(title, operators)
    if evaluation.absent or evaluation.unlabelled:
        yield Text(
            f"{evaluation.absent:,} accounts of the truth are not in the run; {evaluation.unlabelled:,} accounts of "
            f"the run are not in the truth ({evaluation.unlabelled_accused:,} of them accused)"
        )


def _headline(e: Evaluation) -> Table:
    table = _table("against the truth", "figure", right=0)
    low, high = e.honest_interval
    rows = [
        ("campaigns found", f"{e.campaigns_found:,} of {e.campaigns:,}"),
        (
            "campaign accounts accused",
            f"{e.campaign_accused:,} of {e.campaign_accounts:,} ({_share(e.account_recall)})",
        ),
        ("campaign events in accused accounts", _share(e.event_recall)),
        ("accused accounts of campaigns", _share(e.account_precision)),
        ("honest accounts accused", f"{e.honest_accused:,} of {e.honest_accounts:,} ({e.honest_rate})"),
        ("  95 % interval", f"{low:.2g} to {high:.2g}" + (f" (below 1 in {1 / high:,.0f})" if 0 < high < 1 else "")),
        ("operators, adjusted Rand index", _number(e.ari)),
        ("operators, B-cubed precision and recall", f"{_number(e.b_cubed_precision)}, {_number(e.b_cubed_recall)}"),
        ("strangers in operators of 8 or more", f"{e.wrong_accounts:,} accounts, {e.wrong_groups:,} operators"),
        *((f"{clean(kind.kind)} links that are right", f"{kind.true:,} of {kind.links:,}") for kind in e.by_link_kind),
    ]
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _campaigns(e: Evaluation) -> Table:
    table = _table("campaign", "accounts", "accused", "found", "operators", "largest", right=5)
    for c in e.by_campaign:
        numbers = (f"{c.accounts:,}", f"{c.accused:,}", "yes" if c.found else "no", f"{c.operators:,}")
        table.add_row(*map(Text, (clean(c.campaign), *numbers, f"{c.largest_operator:,}")))
    return table


def _labels(e: Evaluation) -> Table:
    table = _table("honest", "operators", "accounts", "linked", "accused", right=4)
    table.add_column("verdicts")
    for label in e.by_label:
        table.add_row(*map(Text, _label(label)), style="bold" if label.accused else "")
    return table


def _label(label: LabelResult) -> tuple[str, ...]:
    numbers = (label.operators, label.accounts, label.linked, label.accused)
    return clean(label.label), *(f"{number:,}" for number in numbers), _counts(label.verdicts)


def _operators(title: str, operators: tuple[OperatorResult, ...]) -> Table:
    table = _table(title, "accounts", right=1)
    table.add_column("verdicts")
    for operator in operators:
        table.add_row(*map(Text, (clean(operator.operator_id), f"{operator.accounts:,}", _counts(operator.verdicts))))
    return table


def _table(first: str, *others: str, right: int) -> Table:
    table = Table(first, box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(others):
        table.add_column(name, justify="right" if place < right else "left")
    return table


def _counts(verdicts: dict[str, int]) -> str:
    return ", ".join(f"{clean(name)} {count:,}" for name, count in verdicts.items()) or "not in the run"


def _share(value: float | None) -> str:
    return "none to share" if value is None else f"{100 * value:.1f} %"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def clean(text: str) -> str:
    """Text that can only be read: control and formatting characters become '?', and no more than 80 characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:80])
