"""Questions about one operator that the report and the console both ask."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from stillwatch.cases.look import Look


@dataclass(frozen=True)
class Pair:
    """Two accounts that share what few others have."""

    a: str
    b: str
    kind: str
    """`control` (a payment, address, sign-up, conversation) or `content` (wording)."""
    shared: int
    """How many things."""


def members(look: Look, operator: str) -> list[dict[str, Any]]:
    """Accounts of an operator, the surest first."""
    return look.rows(
        "select account_id, membership_bits, proven from operators where operator_id = ? "
        "order by proven desc, membership_bits desc, account_id",
        operator,
    )


def days(look: Look, operator: str) -> list[tuple[date, int]]:
    """Events of each day that has any."""
    rows = look.rows(
        'select day, sum("volume.events")::bigint as n from summaries join operators using (account_id) '
        "where operator_id = ? group by all order by day",
        operator,
    )
    return [(_date(row["day"]), row["n"]) for row in rows]


def _date(value: date | datetime) -> date:
    return value.date() if isinstance(value, datetime) else value


def closures(look: Look, operator: str) -> list[date]:
    """Days on which its accounts were closed, one for each."""
    rows = look.rows(
        "select closed_at from accounts join operators using (account_id) "
        "where operator_id = ? and closed_at is not null order by closed_at",
        operator,
    )
    return [row["closed_at"].date() for row in rows]


def releases(manifest: dict[str, Any]) -> list[tuple[str, datetime]]:
    """Models and when they came out."""
    return [(row["model"], datetime.fromisoformat(row["released_at"])) for row in manifest.get("releases", [])]


RARE = """
create temporary table if not exists rare as
select view, token from traits
where view in ('payment', 'phone', 'address', 'signup_burst', 'conversation', 'reasoning_signature', 'lead_skeleton')
group by all having count(*) between 2 and 12
"""
SHARED = """
with mine as (
  select account_id, view, token from traits semi join rare using (view, token) where account_id in ({marks}))
select a.account_id as a, b.account_id as b, a.view = 'lead_skeleton' as content, count(*) as n
from mine a join mine b on a.view = b.view and a.token = b.token and a.account_id < b.account_id
group by all order by content, n desc, a, b limit 220
"""
"""What pairs of accounts share that few others have."""


def shared(look: Look, accounts: Collection[str]) -> list[Pair]:
    """What pairs among `accounts` share, the most first."""
    look.connection.execute(RARE)
    rows = look.rows(SHARED.format(marks=", ".join("?" for _ in accounts)), *accounts)
    return [Pair(row["a"], row["b"], "content" if row["content"] else "control", row["n"]) for row in rows]


EXEMPLARS = """
with mine as (
  select token, view, sum(n)::bigint as events, count(*) as accounts from traits join operators using (account_id)
  where operator_id = ? and view in ('lead_skeleton', 'system_skeleton') group by all)
select text, part, mine.events, mine.accounts from mine
join skeletons on skeletons.skeleton = try_cast(token as ubigint)
  and part = case view when 'lead_skeleton' then 'lead' else 'system' end
order by mine.events desc, text limit 8
"""


def exemplars(look: Look, operator: str) -> list[dict[str, Any]]:
    """Masked text of the operator's most frequent skeletons, with its accounts and events."""
    return look.rows(EXEMPLARS, operator)


def declared(look: Look, operator: str) -> dict[str, int]:
    """How many different customers the accounts declare to be, by what they declare."""
    names = ("org_id", "payment_id", "email_domain", "country", "phone_id")
    counted = ", ".join(f"count(distinct {name}) as {name}" for name in names)
    row = look.one(f"select {counted} from accounts join operators using (account_id) where operator_id = ?", operator)
    words = dict(zip(names, ("organisations", "payments", "mail domains", "countries", "phones"), strict=True))
    return {words[name]: n for name, n in (row or {}).items() if n}
