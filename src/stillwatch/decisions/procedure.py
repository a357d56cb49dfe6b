"""What people may do, asked before it is written down: each function answers with the entry to write, or refuses.

A block takes two people, and whoever decided a case does not turn down the appeal against it. Letting somebody go takes
one. Everything has a reason and an end.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from stillwatch.decisions.actions import PROTECTED, Action, Rate, Scope
from stillwatch.decisions.docket import SYSTEM, Docket, Order, Subject
from stillwatch.errors import UsageError

Change = tuple[str, dict[str, Any]]
"""Kind and data of an entry."""

LONGEST_ORDER, LONGEST_LISTING = 90, 365
"""Days."""
PROPOSAL_DAYS = 14
"""How long a block waits for a second person."""
LONGEST_TEXT, LONGEST_ID, MOST_ACCOUNTS, MOST_ONLY = 4_000, 512, 500_000, 100


class RefusedError(UsageError):
    """What is asked does not fit what stands: four eyes, an order that has ended, a second proposal."""


def person(by: str) -> str:
    """The name of who acts; UsageError if it is none."""
    name = " ".join(by.split())
    if not name or len(name) > 200 or _same(name, SYSTEM):
        raise UsageError("who does this? A name of a person is needed")
    return name


def _same(a: str, b: str) -> bool:
    """Whether two names are one person's: letters that look alike in another case or width are not a second pair of
    eyes."""
    return unicodedata.normalize("NFKC", a).casefold().split() == unicodedata.normalize("NFKC", b).casefold().split()


def _text(words: str, what: str = "reason") -> str:
    said = words.strip()
    if not said:
        raise UsageError(f"a {what} is needed")
    if len(said) > LONGEST_TEXT:
        raise UsageError(f"the {what} is longer than {LONGEST_TEXT:,} characters")
    return said


def _days(days: int, most: int) -> int:
    if not 1 <= days <= most:
        raise UsageError(f"days: from 1 to {most}, not {days}")
    return days


def _named(subject: Subject) -> str:
    if len(subject.id) > LONGEST_ID:
        raise UsageError(f"an id is longer than {LONGEST_ID} characters")
    return str(subject)


def propose(
    docket: Docket,
    subject: Subject,
    action: Action,
    *,
    reason: str,
    at: datetime,
    accounts: Iterable[str] = (),
    rate: str | None = None,
    scope: Scope = Scope.ACCOUNT,
    only: Iterable[str] = (),
    days: int = 14,
    verdict: str = "",
    evidence: str = "",
) -> Change:
    """An order: a block waits for a second person, anything else is in force at once (`placed`).

    What restricts an operator is for the accounts named, those that its people have before them: whoever joins later
    was judged by nobody.
    """
    accounts, only = frozenset(accounts), tuple(only)
    if subject.kind == "account":
        accounts = frozenset([subject.id])
    _fits(subject, action, accounts, scope, only)
    if (action is Action.THROTTLE) != (rate is not None):
        raise UsageError("a throttle, and nothing else, needs a rate, such as 10/minute")
    if action.restricts and verdict in PROTECTED:
        raise RefusedError(f"{subject} is {verdict}: it may not be restricted")
    if action is Action.BLOCK and any(order.waits(at) for order in docket.orders_of(subject)):
        raise RefusedError(f"a block of {subject} is proposed already: approve or decline it")
    return "proposed" if action is Action.BLOCK else "placed", {
        "subject": _named(subject), "action": action.value, "reason": _text(reason), "days": _days(days, LONGEST_ORDER),
        "open_days": PROPOSAL_DAYS, "rate": None if rate is None else _rate(rate), "scope": scope.value,
        "only": list(only), "accounts": sorted(accounts) if action.restricts else [], "verdict": verdict,
        "evidence": evidence[:LONGEST_TEXT],
    }  # fmt: skip


def _rate(text: str) -> str:
    try:
        return str(Rate.parse(text))
    except ValueError as error:
        raise UsageError(str(error)) from error


def _fits(subject: Subject, action: Action, accounts: frozenset[str], scope: Scope, only: tuple[str, ...]) -> None:
    if action.restricts and not accounts:
        raise UsageError(f"{action} of an operator is for named accounts: give them")
    if len(accounts) > MOST_ACCOUNTS or any(not 0 < len(id) <= LONGEST_ID for id in accounts):
        raise UsageError(f"accounts: at most {MOST_ACCOUNTS:,}, each an id of at most {LONGEST_ID} characters")
    if scope.named != bool(only):
        raise UsageError(f"scope {scope} " + ("has to say which" if scope.named else "names nothing"))
    if len(only) > MOST_ONLY or any(not 0 < len(name.strip()) <= LONGEST_ID for name in only):
        raise UsageError(f"scope {scope}: at most {MOST_ONLY} names of at most {LONGEST_ID} characters")
    if scope is Scope.OPERATOR:
        raise UsageError("scope operator is a policy's: an order names the accounts that it is for")


def _order(docket: Docket, id: str) -> Order:
    if id not in docket.orders:
        raise UsageError(f"there is no order {id[:80]!r}")
    return docket.orders[id]


def _waiting(docket: Docket, id: str, at: datetime) -> Order:
    order = _order(docket, id)
    if not order.waits(at):
        raise RefusedError(f"order {id} does not wait for approval: it is {order.status.replace('_', ' ')}")
    return order


def approve(docket: Docket, id: str, *, by: str, at: datetime) -> Change:
    """The second pair of eyes on a block."""
    order = _waiting(docket, id, at)
    if _same(by, order.proposed_by):
        raise RefusedError(f"order {id} was proposed by {order.proposed_by}: somebody else has to approve it")
    return "approved", {"order": id}


def decline(docket: Docket, id: str, *, reason: str, at: datetime) -> Change:
    """No to a proposed block, or its withdrawal."""
    _waiting(docket, id, at)
    return "declined", {"order": id, "reason": _text(reason)}


def lift(docket: Docket, id: str, *, reason: str, at: datetime) -> Change:
    """The end of an order before its time."""
    order = _order(docket, id)
    if not order.holds(at):
        raise RefusedError(f"order {id} is not in force: it is {order.status.replace('_', ' ')}")
    return "lifted", {"order": id, "reason": _text(reason)}


def allow(docket: Docket, subject: Subject, *, reason: str, at: datetime, days: int = 90) -> Change:
    """Put a subject on the allow list."""
    if docket.listing_of(subject, at) is not None:
        raise RefusedError(f"{subject} is on the allow list already")
    return "listed", {"subject": _named(subject), "reason": _text(reason), "days": _days(days, LONGEST_LISTING)}


def unlist(docket: Docket, id: str, *, reason: str, at: datetime) -> Change:
    """Take a subject off the allow list before its time."""
    if id not in docket.listings or not docket.listings[id].holds(at):
        raise RefusedError(f"there is no entry {id[:80]!r} in the allow list now")
    return "unlisted", {"listing": id, "reason": _text(reason)}


def appeal(docket: Docket, subject: Subject, *, text: str) -> Change:
    """Take down what the accused answers; nothing changes until somebody decides on it."""
    if any(one.open and one.subject == subject for one in docket.appeals.values()):
        raise RefusedError(f"an appeal of {subject} is open already")
    return "appealed", {"subject": _named(subject), "text": _text(text, "text of the appeal")}


def answer(docket: Docket, id: str, *, upheld: bool, reason: str, by: str, at: datetime, days: int = 90) -> Change:
    """Decide on an appeal: upheld, the subject's orders end and it goes onto the allow list for `days`."""
    if id not in docket.appeals or not docket.appeals[id].open:
        raise RefusedError(f"there is no open appeal {id[:80]!r}")
    live = [order for order in docket.orders_of(docket.appeals[id].subject) if order.holds(at) or order.waits(at)]
    for order in live:
        if not upheld and any(_same(by, who) for who in (order.proposed_by, order.approved_by)):
            raise RefusedError(f"whoever decided order {order.id} may uphold the appeal against it, not turn it down")
    return "answered", {
        "appeal": id, "upheld": upheld, "reason": _text(reason), "days": _days(days, LONGEST_LISTING),
        "lifts": [order.id for order in live] if upheld else [],
    }  # fmt: skip


def note(docket: Docket, subject: Subject, *, text: str) -> Change:
    """A remark on a subject."""
    return "noted", {"subject": _named(subject), "text": _text(text, "note")}


def kill_switch(docket: Docket, *, on: bool, reason: str) -> Change:
    """Stop or resume all enforcement."""
    if on == bool(docket.killed):
        raise RefusedError(f"the kill switch is {'on' if on else 'off'} already")
    return "kill_switch", {"on": on, "reason": _text(reason)}
