"""What is shown of one operator and of one account, read from the newest run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from stillwatch.cases import about
from stillwatch.cases.look import Look, looking
from stillwatch.cases.waterfall import Bar, waterfall
from stillwatch.engine.runfolder import RunFolder
from stillwatch.hashing import hash64
from stillwatch.service.console import drawing

DOTS, NEIGHBOURS, PAGE = 60, 36, 100


@dataclass(frozen=True)
class Today:
    """What the log's last day brought, against the day before."""

    day: date
    events: int
    before: int
    arrived: int
    """Accounts whose first request came on that day."""
    closed: int
    """Accounts closed on that day."""


@dataclass(frozen=True)
class OperatorPage:
    """All that its page shows of the run."""

    verdict: Mapping[str, Any]
    bars: list[Bar]
    falls: list[drawing.Fall]
    timeline: drawing.Timeline | None
    today: Today | None
    graph: drawing.Graph | None
    drawn: int
    exemplars: list[dict[str, Any]]
    explanations: list[dict[str, Any]]
    members: list[dict[str, Any]]
    """Of the page asked for: account_id, proven, membership_bits, events, first_seen, last_seen."""
    page: int
    pages: int
    streams: list[dict[str, Any]]
    declared: dict[str, int]


@dataclass(frozen=True)
class AccountPage:
    """All that its page shows of the run."""

    row: Mapping[str, Any]
    """account_id, operator_id, membership_bits, proven."""
    verdict: Mapping[str, Any]
    declared: Mapping[str, Any]
    used: Mapping[str, Any]
    timeline: drawing.Timeline | None
    graph: drawing.Graph | None
    neighbours: list[dict[str, Any]]
    streams: list[dict[str, Any]]


MEMBERS = """
select account_id, proven, membership_bits, sum("volume.events")::bigint as events,
  to_timestamp(min("volume.first_seen")) as first_seen, to_timestamp(max("volume.last_seen")) as last_seen
from operators left join summaries using (account_id) where operator_id = ?
group by all order by proven desc, membership_bits desc, account_id limit ? offset ?
"""


def operator_page(run: RunFolder, id: str, page: int) -> OperatorPage | None:
    """What there is of an operator; None if the run has none of that id."""
    manifest = run.manifest()
    with looking(run) as look:
        verdict = look.one("select * from verdicts where operator_id = ?", id)
        if verdict is None:
            return None
        pages = max(1, -(-(verdict["accounts"] or 0) // PAGE))
        page = min(max(1, page), pages)
        days, closed = about.days(look, id), about.closures(look, id)
        graph, drawn = _graph(look, id) if (verdict["accounts"] or 0) > 1 else (None, 0)
        bars = waterfall(look.evidence(id), manifest.get("signals", []))
        return OperatorPage(
            verdict=verdict,
            bars=bars,
            falls=drawing.falls(bars),
            timeline=drawing.timeline(days, about.releases(manifest), closed),
            today=_today(look, id, days, closed),
            graph=graph,
            drawn=drawn,
            exemplars=about.exemplars(look, id),
            explanations=manifest.get("explanations", {}).get(id, []),
            members=look.rows(MEMBERS, id, PAGE, (page - 1) * PAGE),
            page=page,
            pages=pages,
            streams=[stream for stream in look.streams(id) if stream["role"] != "member"][:PAGE],
            declared=about.declared(look, id),
        )


def _today(look: Look, id: str, days: list[tuple[date, int]], closed: list[date]) -> Today | None:
    newest = look.one("select max(day) as day from summaries")
    if newest is None or newest["day"] is None:
        return None
    day = newest["day"] if type(newest["day"]) is date else newest["day"].date()
    row = look.one(
        'select count(*) as n from (select account_id, min("volume.first_seen") as first from summaries '
        "join operators using (account_id) where operator_id = ? group by all) where to_timestamp(first) >= ?",
        id, day,
    )  # fmt: skip
    counts = dict(days)
    before = counts.get(day - timedelta(days=1), 0)
    return Today(day, counts.get(day, 0), before, row["n"] if row else 0, closed.count(day))


def _graph(look: Look, id: str) -> tuple[drawing.Graph, int]:
    members = about.members(look, id)
    chosen = sorted(members, key=lambda m: (hash64(m["account_id"]), m["account_id"]))[:DOTS]
    kinds = {m["account_id"]: "proven" if m["proven"] else "linked" for m in chosen}
    return drawing.ring(kinds, about.shared(look, kinds)), len(kinds)


USED = """
select sum("volume.events")::bigint as events, sum("volume.input_tokens")::bigint as input_tokens,
  sum("volume.output_tokens")::bigint as output_tokens, to_timestamp(min("volume.first_seen")) as first_seen,
  to_timestamp(max("volume.last_seen")) as last_seen, count(*) as days
from summaries where account_id = ?
"""
AROUND = """
with mine as (
  select view, token from traits where account_id = ? and view in (
    'payment', 'phone', 'address', 'signup_burst', 'conversation', 'reasoning_signature', 'lead_skeleton')),
holders as (select account_id, view, token from traits semi join mine using (view, token)),
rare as (select view, token from holders group by all having count(*) between 2 and 12)
select account_id, operator_id, proven, string_agg(distinct view, ',' order by view) as views, count(*) as n
from holders semi join rare using (view, token) join operators using (account_id)
where account_id <> ? group by all order by min(view = 'lead_skeleton'), n desc, account_id limit ?
"""


def account_page(run: RunFolder, id: str) -> AccountPage | None:
    """What there is of an account; None if the run has none of that id."""
    manifest = run.manifest()
    with looking(run) as look:
        row = look.one("select * from operators where account_id = ?", id)
        if row is None:
            return None
        verdict = look.one("select * from verdicts where operator_id = ?", row["operator_id"])
        days = look.rows(
            'select day, sum("volume.events")::bigint as n from summaries where account_id = ? group by all', id
        )
        declared = look.one("select * from accounts where account_id = ?", id) or {}
        ends = [declared["closed_at"].date()] if declared.get("closed_at") else []
        neighbours = look.rows(AROUND, id, id, NEIGHBOURS)
        return AccountPage(
            row=row,
            verdict=verdict or {},
            declared={name: value for name, value in declared.items() if value is not None and name != "account_id"},
            used=look.one(USED, id) or {},
            timeline=drawing.timeline([(_day(d["day"]), d["n"]) for d in days], about.releases(manifest), ends),
            graph=_around(id, row["operator_id"], neighbours) if neighbours else None,
            neighbours=neighbours,
            streams=[stream for stream in look.streams(row["operator_id"]) if stream["account_id"] == id],
        )


def _day(value: Any) -> date:
    return value if type(value) is date else value.date()


def _around(id: str, operator: str, neighbours: Collection[Mapping[str, Any]]) -> drawing.Graph:
    kinds, shared = {}, {}
    for one in neighbours:
        same = "proven" if one["proven"] else "linked"
        kinds[one["account_id"]] = same if one["operator_id"] == operator else "other"
        kind = "content" if one["views"] == "lead_skeleton" else "control"
        shared[one["account_id"]] = (kind, one["views"].replace(",", ", ").replace("_", " "))
    return drawing.around(id, kinds, shared)
