"""The audit log as people read it: one line an entry, and whom it is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stillwatch.decisions import Docket
from stillwatch.decisions.audit import Entry


@dataclass(frozen=True)
class Line:
    """An entry, told."""

    seq: int
    at: datetime
    by: str
    what: str
    action: str
    on: str
    """Subject, order, listing or appeal."""
    subject: str
    accounts: int
    words: str
    hash: str


def told(entry: Entry, docket: Docket) -> Line:
    """An entry as a line."""
    data = entry.data
    what = entry.kind.replace("_", " ")
    if entry.kind == "kill_switch":
        what += " on" if data.get("on") else " off"
    if entry.kind == "answered":
        what += ", upheld" if data.get("upheld") else ", turned down"
    named = [str(data[name]) for name in ("subject", "order", "listing", "appeal") if data.get(name)]
    return Line(
        seq=entry.seq,
        at=entry.at,
        by=entry.by,
        what=what,
        action=str(data.get("action", "")),
        on=named[0] if named else ", ".join(map(str, data.get("ids", []))),
        subject=subject_of(data, docket),
        accounts=len(data.get("accounts", [])),
        words=str(data.get("reason") or data.get("text") or data.get("mode") or ""),
        hash=entry.hash,
    )


def subject_of(data: dict[str, Any], docket: Docket) -> str:
    """Whom an entry is about, written `operator:ID` or `account:ID`; empty if nobody."""
    if "subject" in data:
        return str(data["subject"])
    known: list[Any] = [
        docket.orders.get(str(data.get("order"))),
        docket.listings.get(str(data.get("listing"))),
        docket.appeals.get(str(data.get("appeal"))),
    ]
    return next((str(one.subject) for one in known if one is not None), "")
