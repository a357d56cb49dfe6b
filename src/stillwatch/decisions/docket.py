"""What people have decided and what stands now: orders, the allow list, appeals, notes, the kill switch.

The docket is what the audit log adds up to: every entry changes it by `fold`, and nothing else does. What may be done
is asked before an entry is written (`rules.py`). Time comes from outside.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from stillwatch.decisions.actions import Action, Scope
from stillwatch.decisions.audit import Entry

KINDS = frozenset({
    "opened", "proposed", "placed", "approved", "declined", "lifted", "listed", "unlisted", "appealed", "answered",
    "noted", "kill_switch", "policy", "expired",
})  # fmt: skip
"""Of entries."""
SYSTEM = "stillwatch"
"""Who does what happens by itself."""


@dataclass(frozen=True, slots=True)
class Subject:
    """An operator, by its stable id, or an account."""

    kind: Literal["operator", "account"]
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> Subject:
        """From `operator:op_…`; ValueError on anything else."""
        kind, _, id = text.partition(":")
        if kind == "operator" and id:
            return cls("operator", id)
        if kind == "account" and id:
            return cls("account", id)
        raise ValueError("a subject is operator:ID or account:ID")


class Status(StrEnum):
    """Where an order stands."""

    PROPOSED = "proposed"
    """A block that waits for a second person."""
    IN_FORCE = "in_force"
    DECLINED = "declined"
    LIFTED = "lifted"
    SUPERSEDED = "superseded"
    """Another order on the same subject came into force."""
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Order:
    """What a person wants done to a subject."""

    id: str
    subject: Subject
    action: Action
    reason: str
    proposed_by: str
    proposed_at: datetime
    lapses_at: datetime
    """Of a proposal: when it ends unless somebody approves it. In force: when it expires."""
    days: int
    """How long it holds, from when it comes into force."""
    rate: str | None = None
    scope: Scope = Scope.ACCOUNT
    only: tuple[str, ...] = ()
    accounts: frozenset[str] = frozenset()
    """Of an operator, the accounts that it is for: those that people saw. Empty: whoever belongs to the operator."""
    verdict: str = ""
    """The verdict at that time."""
    evidence: str = ""
    status: Status = Status.PROPOSED
    approved_by: str = ""
    """The second person; empty where none was needed."""
    since: datetime | None = None
    """When it came into force."""
    ended_by: str = ""
    ended_at: datetime | None = None
    ended_reason: str = ""

    def holds(self, now: datetime) -> bool:
        """Whether it is in force at `now`; its end does not wait for anybody to write it down."""
        return self.status is Status.IN_FORCE and now < self.lapses_at

    def waits(self, now: datetime) -> bool:
        """Whether it can be approved at `now`."""
        return self.status is Status.PROPOSED and now < self.lapses_at


@dataclass(frozen=True, slots=True)
class Listing:
    """A subject on the allow list: nothing is done to it, whatever the verdict."""

    id: str
    subject: Subject
    reason: str
    by: str
    at: datetime
    lapses_at: datetime
    ended_by: str = ""
    ended_at: datetime | None = None
    ended_reason: str = ""

    def holds(self, now: datetime) -> bool:
        """Whether it protects at `now`."""
        return not self.ended_by and now < self.lapses_at


@dataclass(frozen=True, slots=True)
class Appeal:
    """What the accused answers, as the abuse desk took it down."""

    id: str
    subject: Subject
    text: str
    by: str
    at: datetime
    upheld: bool | None = None
    """None while it is open."""
    answered_by: str = ""
    answered_at: datetime | None = None
    answer: str = ""

    @property
    def open(self) -> bool:
        """Nobody has answered it."""
        return self.upheld is None


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody wrote beside a subject."""

    subject: Subject
    text: str
    by: str
    at: datetime


@dataclass
class Docket:
    """All that stands, folded from the log's entries in order."""

    orders: dict[str, Order] = field(default_factory=dict)
    listings: dict[str, Listing] = field(default_factory=dict)
    appeals: dict[str, Appeal] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    killed: str = ""
    """Why the kill switch is on; empty while it is off."""
    policy: dict[str, Any] = field(default_factory=dict)
    """The policy last put in force: `sha256` and `mode`."""
    log_id: str = ""
    _of: dict[Subject, tuple[str, ...]] = field(default_factory=dict)
    """Orders of each subject."""

    def copy(self) -> Docket:
        """A docket of its own; what it holds is never changed in place."""
        return replace(
            self, orders=dict(self.orders), listings=dict(self.listings), appeals=dict(self.appeals),
            notes=list(self.notes), _of=dict(self._of),
        )  # fmt: skip

    def fold(self, entry: Entry) -> None:
        """Change by one entry; ValueError or KeyError for one that this version does not know."""
        if entry.kind not in KINDS:
            raise ValueError(f"an entry of the kind {entry.kind[:40]!r}")
        getattr(self, f"_{entry.kind}")(entry, entry.data)

    def orders_of(self, subject: Subject) -> list[Order]:
        """Every order that there ever was on a subject, the oldest first."""
        return [self.orders[id] for id in self._of.get(subject, ())]

    def order_on(self, subject: Subject, now: datetime) -> Order | None:
        """The order in force on a subject; there is at most one."""
        return next((order for order in self.orders_of(subject) if order.holds(now)), None)

    def listing_of(self, subject: Subject, now: datetime) -> Listing | None:
        """Its entry in the allow list."""
        return next((one for one in self.listings.values() if one.subject == subject and one.holds(now)), None)

    def waiting(self, now: datetime) -> list[Order]:
        """Blocks that wait for a second person, the oldest first."""
        return [order for order in self.orders.values() if order.waits(now)]

    def lapsed(self, now: datetime) -> list[str]:
        """Ids of orders and listings whose time is over and whose end is not yet written down."""
        live = {Status.PROPOSED, Status.IN_FORCE}
        orders = [o.id for o in self.orders.values() if o.status in live and now >= o.lapses_at]
        return orders + [e.id for e in self.listings.values() if not e.ended_by and now >= e.lapses_at]

    # one function a kind of entry

    def _opened(self, entry: Entry, data: dict[str, Any]) -> None:
        self.log_id = data["log_id"]

    def _proposed(self, entry: Entry, data: dict[str, Any]) -> None:
        order = _order(entry, data)
        self.orders[order.id] = order
        self._of[order.subject] = (*self._of.get(order.subject, ()), order.id)

    def _placed(self, entry: Entry, data: dict[str, Any]) -> None:
        self._proposed(entry, data)
        self._come_into_force(f"o-{entry.seq}", entry, "")

    def _approved(self, entry: Entry, data: dict[str, Any]) -> None:
        self._come_into_force(data["order"], entry, entry.by)

    def _come_into_force(self, id: str, entry: Entry, approved_by: str) -> None:
        order = self.orders[id]
        for older in self.orders_of(order.subject):
            if older.id != id and older.status is Status.IN_FORCE:
                self._end(older.id, Status.SUPERSEDED, entry, f"by {id}")
        lapses = entry.at + timedelta(days=order.days)
        self.orders[id] = replace(
            order, status=Status.IN_FORCE, approved_by=approved_by, since=entry.at, lapses_at=lapses
        )

    def _end(self, id: str, status: Status, entry: Entry, reason: str) -> None:
        self.orders[id] = replace(
            self.orders[id], status=status, ended_by=entry.by, ended_at=entry.at, ended_reason=reason
        )

    def _declined(self, entry: Entry, data: dict[str, Any]) -> None:
        self._end(data["order"], Status.DECLINED, entry, data["reason"])

    def _lifted(self, entry: Entry, data: dict[str, Any]) -> None:
        self._end(data["order"], Status.LIFTED, entry, data["reason"])

    def _listed(self, entry: Entry, data: dict[str, Any]) -> None:
        lapses = entry.at + timedelta(days=data["days"])
        listing = Listing(f"l-{entry.seq}", _subject(data), data["reason"], entry.by, entry.at, lapses)
        self.listings[listing.id] = listing

    def _unlisted(self, entry: Entry, data: dict[str, Any]) -> None:
        self._end_listing(data["listing"], entry, data["reason"])

    def _end_listing(self, id: str, entry: Entry, reason: str) -> None:
        self.listings[id] = replace(self.listings[id], ended_by=entry.by, ended_at=entry.at, ended_reason=reason)

    def _appealed(self, entry: Entry, data: dict[str, Any]) -> None:
        id = f"a-{entry.seq}"
        self.appeals[id] = Appeal(id, _subject(data), data["text"], entry.by, entry.at)

    def _answered(self, entry: Entry, data: dict[str, Any]) -> None:
        appeal, upheld = self.appeals[data["appeal"]], data["upheld"]
        self.appeals[appeal.id] = replace(
            appeal, upheld=upheld, answered_by=entry.by, answered_at=entry.at, answer=data["reason"]
        )
        for id in data["lifts"]:
            self._end(id, Status.LIFTED, entry, f"appeal {appeal.id} upheld")
        if upheld:
            # otherwise the policy would do it again tomorrow
            self._listed(entry, {**data, "subject": str(appeal.subject)})

    def _noted(self, entry: Entry, data: dict[str, Any]) -> None:
        self.notes.append(Note(_subject(data), data["text"], entry.by, entry.at))

    def _kill_switch(self, entry: Entry, data: dict[str, Any]) -> None:
        self.killed = data["reason"] if data["on"] else ""

    def _policy(self, entry: Entry, data: dict[str, Any]) -> None:
        self.policy = data

    def _expired(self, entry: Entry, data: dict[str, Any]) -> None:
        for id in data["ids"]:
            if id in self.orders:
                self._end(id, Status.EXPIRED, entry, "its time was over")
            else:
                self._end_listing(id, entry, "its time was over")


def _subject(data: dict[str, Any]) -> Subject:
    return Subject.parse(data["subject"])


def _order(entry: Entry, data: dict[str, Any]) -> Order:
    return Order(
        id=f"o-{entry.seq}",
        subject=_subject(data),
        action=Action(data["action"]),
        reason=data["reason"],
        proposed_by=entry.by,
        proposed_at=entry.at,
        lapses_at=entry.at + timedelta(days=data["open_days"]),
        days=data["days"],
        rate=data["rate"],
        scope=Scope(data["scope"]),
        only=tuple(data["only"]),
        accounts=frozenset(data["accounts"]),
        verdict=data["verdict"],
        evidence=data["evidence"],
    )
