"""The queue: operators that want a person, the gravest and freshest first, with what is decided about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from stillwatch.cases.look import RANK, Look, looking
from stillwatch.decisions import Action, Decision, Docket, RunFacts, Snapshot, Subject
from stillwatch.engine.runfolder import RunFolder

PAGE = 50
FRESH = timedelta(days=1)
ORDERS = ("severity", "fresh", "size")
STANDINGS = {
    "open": "nobody has decided",
    "waiting": "a block waits for approval",
    "appealed": "an appeal is open",
    "decided": "an order or the allow list holds",
}


@dataclass(frozen=True)
class Doing:
    """What is done to an operator's accounts, taken together."""

    gravest: Action
    accounts: Mapping[Action, int]
    proposed: int
    """Accounts of which a block waits."""


@dataclass(frozen=True)
class Item:
    """One operator in the queue."""

    verdict: Mapping[str, Any]
    doing: Doing
    standing: str
    """One of STANDINGS."""
    fresh: bool
    """It sent something on the log's last day."""
    pending: bool = False
    """The run accuses it, and the service does not yet."""


@dataclass(frozen=True)
class Queue:
    """A page of it."""

    items: list[Item]
    total: int
    page: int
    pages: int
    counts: dict[str, int]
    """Operators by verdict, before any choice."""
    newest: datetime | None
    """Newest event of the log."""


@dataclass(frozen=True)
class Choice:
    """What a reader wants of it."""

    verdict: str = ""
    standing: str = ""
    order: str = "severity"
    page: int = 1


ALL = """
select * from verdicts where events > 0 and (verdict <> 'ordinary' or accounts > 1)
"""


def queue(
    run: RunFolder, snapshot: Snapshot, docket: Docket, choice: Choice, now: datetime, facts: RunFacts | None = None
) -> Queue:
    """The page asked for, with the verdicts that the service stands by (`facts`); RunError if a run cannot be read."""
    with looking(run) as look:
        rows = [stood_by(row, facts) for row in look.rows(ALL)]
        newest = (look.one("select max(last_seen) as at from verdicts") or {}).get("at")
    done = doing(snapshot, now)
    counts: dict[str, int] = dict.fromkeys(RANK, 0)
    items = []
    for row in rows:
        counts[row["verdict"]] = counts.get(row["verdict"], 0) + 1
        item = _item(row, done, docket, newest, now)
        if choice.verdict in {"", row["verdict"]} and choice.standing in {"", item.standing}:
            items.append(item)
    items.sort(key=_sorting(choice.order))
    pages = max(1, -(-len(items) // PAGE))
    page = min(max(1, choice.page), pages)
    return Queue(items[(page - 1) * PAGE : page * PAGE], len(items), page, pages, counts, newest)


def _item(
    row: Mapping[str, Any], done: Mapping[str, Doing], docket: Docket, newest: datetime | None, now: datetime
) -> Item:
    fresh = newest is not None and row["last_seen"] is not None and newest - row["last_seen"] < FRESH
    nothing = Doing(Action.ALLOW, {}, 0)
    subject = Subject("operator", row["operator_id"])
    said = standing(docket, subject, now)
    return Item(row, done.get(row["operator_id"], nothing), said, fresh, pending=row["pending"])


def stood_by(row: Mapping[str, Any], facts: RunFacts | None) -> dict[str, Any]:
    """A row of the table `verdicts` with the verdict that the service stands by, `pending` if that is a milder one."""
    held = None if facts is None else facts.operators.get(row.get("operator_id", ""))
    if held is None or held.verdict.value == row["verdict"]:
        return {**row, "pending": False}
    return {**row, "verdict": held.verdict.value, "pending": True}


def standing(docket: Docket, subject: Subject, now: datetime) -> str:
    """Where people stand with a subject."""
    if any(appeal.open and appeal.subject == subject for appeal in docket.appeals.values()):
        return "appealed"
    if any(order.waits(now) for order in docket.orders_of(subject)):
        return "waiting"
    held = docket.order_on(subject, now) or docket.listing_of(subject, now)
    return "decided" if held else "open"


def doing(snapshot: Snapshot, now: datetime) -> dict[str, Doing]:
    """What is, or would be, done to each operator's accounts; those of whom nothing is said are not counted."""
    found: dict[str, list[Decision]] = {}
    for decision in snapshot.said.values():
        found.setdefault(decision.operator_id, []).append(decision.at(now))
    return {operator: _together(decisions) for operator, decisions in found.items()}


def _together(decisions: Iterable[Decision]) -> Doing:
    counts: dict[Action, int] = {}
    proposed = 0
    for decision in decisions:
        counts[decision.would] = counts.get(decision.would, 0) + 1
        proposed += decision.proposed is not None
    return Doing(max(counts, key=lambda action: action.gravity), counts, proposed)


def _sorting(order: str) -> Callable[[Item], tuple[Any, ...]]:
    def severity(item: Item) -> tuple[Any, ...]:
        bits = (item.verdict["bits_purpose"] or 0) + (item.verdict["bits_source"] or 0)
        rank = RANK.index(item.verdict["verdict"]) if item.verdict["verdict"] in RANK else len(RANK)
        return rank, not item.fresh, -bits, -item.verdict["events"], item.verdict["operator_id"]

    if order == "fresh":
        return lambda item: (-_seconds(item.verdict["last_seen"]), *severity(item))
    if order == "size":
        return lambda item: (-item.verdict["events"], *severity(item))
    return severity


def _seconds(at: datetime | None) -> float:
    return at.timestamp() if at else 0.0


FOUND = """
select kind, id, operator_id, verdict, accounts, events from (
  select 'operator' as kind, operator_id as id, operator_id, verdict, accounts, events from verdicts
  union all
  select 'account', account_id, operator_id, verdict, accounts, events from operators join verdicts using (operator_id))
where contains(lower(id), lower(?)) order by lower(id) <> lower(?), not starts_with(lower(id), lower(?)), kind desc, id
limit ?
"""
DECLARED = """
select 'account' as kind, account_id as id, operator_id, verdict, verdicts.accounts, events,
  case when lower(org_id) = lower(?) then 'organisation' when lower(email_domain) = lower(?) then 'mail domain'
  else 'payment' end as by
from accounts join operators using (account_id) join verdicts using (operator_id)
where lower(org_id) = lower(?) or lower(email_domain) = lower(?) or lower(payment_id) = lower(?)
order by account_id limit ?
"""


def search(run: RunFolder, text: str, most: int = 60) -> list[dict[str, Any]]:
    """Operators and accounts whose id holds `text`, then accounts that declare exactly it."""
    with looking(run) as look:
        found = look.rows(FOUND, text, text, text, most)
        return found + _declared(look, text, most - len(found))


def _declared(look: Look, text: str, most: int) -> list[dict[str, Any]]:
    if most <= 0 or not look.run.path("accounts").exists():
        return []
    return look.rows(DECLARED, *[text] * 5, most)
