"""The report: one self-contained page that a person is glad to open and a lawyer can print."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from stillwatch.cases import charts
from stillwatch.cases.look import ACCUSED, Look, looking
from stillwatch.cases.text import visible
from stillwatch.cases.waterfall import Bar, waterfall
from stillwatch.engine.runfolder import RunFolder, atomic
from stillwatch.hashing import hash64

SECTIONS = 20
"""Operators with a section of their own, besides every accused one up to `MOST`."""
MOST = 60
DOTS = 60
"""Accounts drawn in a link graph; of larger operators those whose id hashes lowest."""
LISTED = 50

LAWFUL = {
    "source": ("are the accounts whom they say they are?", "authorised access, in its own name"),
    "scale": ("how much, and who allowed it?", "within a registered quota"),
    "transparency": ("is it disclosed?", "declared, and what is measured agrees"),
    "purpose": ("what is it for?", "its own product, or compression that it disclosed"),
}


@dataclass(frozen=True)
class Section:
    """All that is shown of one operator."""

    verdict: dict[str, Any]
    bars: list[Bar]
    timeline: Markup
    graph: Markup | None
    drawn: int
    exemplars: list[dict[str, Any]]
    explanations: list[dict[str, Any]]
    members: list[dict[str, Any]]
    streams: list[dict[str, Any]]
    """In accounts that are not the operator's, and others' in its own."""
    declared: dict[str, int]


def write_report(run: RunFolder) -> Path:
    """Write `report.html` into the run folder, whole or not at all; its path."""
    manifest = run.manifest()
    with looking(run) as look:
        operators = look.operators(100_000)
        accused = [row for row in operators if row["verdict"] == ACCUSED]
        shown = [*accused[:MOST], *[row for row in operators if row["verdict"] != ACCUSED][:SECTIONS]]
        page = _environment().get_template("report.html").render(
            manifest=manifest,
            accused=accused,
            operators=operators[:200],
            hidden=max(len(operators) - 200, 0),
            lone=look.rows("select count(*) as n from verdicts where verdict = 'ordinary' and accounts = 1")[0]["n"],
            sections=[_section(look, row, manifest) for row in shown],
            rejects=look.rows("select source, reason, count(*) as n, min(row) as first from rejects group by all "
                              "order by n desc, source, reason limit 20"),
            dimensions=LAWFUL,
            accounts_accused=sum(row["accounts"] for row in accused),
            events_accused=sum(row["events"] for row in accused),
        )  # fmt: skip
    path = run.root / "report.html"
    with atomic(path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="replace")
    return path


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("stillwatch.cases"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"visible": visible, "number": _number, "day": _day, "bits": _bits, "size": _size}
    return made


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _day(value: datetime | None) -> str:
    return "–" if value is None else f"{value:%Y-%m-%d}"


def _bits(value: float | None) -> str:
    return "n/a" if value is None else f"{value:+.1f}".replace("-", "−")


def _size(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _section(look: Look, row: dict[str, Any], manifest: dict[str, Any]) -> Section:
    operator = row["operator_id"]
    members = look.rows(
        "select account_id, membership_bits, proven from operators where operator_id = ? "
        "order by proven desc, membership_bits desc, account_id",
        operator,
    )
    graph, drawn = _graph(look, members) if len(members) > 1 else (None, 0)
    return Section(
        verdict=row,
        bars=waterfall(look.evidence(operator), manifest.get("signals", [])),
        timeline=_timeline(look, operator, manifest),
        graph=graph,
        drawn=drawn,
        exemplars=_exemplars(look, operator),
        explanations=manifest.get("explanations", {}).get(operator, []),
        members=members[:LISTED],
        streams=[stream for stream in look.streams(operator) if stream["role"] != "member"][:LISTED],
        declared=_declared(look, operator),
    )


def _timeline(look: Look, operator: str, manifest: dict[str, Any]) -> Markup:
    days = look.rows(
        'select day, sum("volume.events")::bigint as n from summaries join operators using (account_id) '
        "where operator_id = ? group by all order by day",
        operator,
    )
    closed = look.rows(
        "select closed_at from accounts join operators using (account_id) "
        "where operator_id = ? and closed_at is not null order by closed_at",
        operator,
    )
    releases = [(r["model"], datetime.fromisoformat(r["released_at"])) for r in manifest.get("releases", [])]
    dates: list[date] = [r["day"] if isinstance(r["day"], date) else r["day"].date() for r in days]
    return charts.timeline(dates, [r["n"] for r in days], releases, [r["closed_at"].date() for r in closed])


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


def _graph(look: Look, members: list[dict[str, Any]]) -> tuple[Markup, int]:
    chosen = sorted(members, key=lambda m: (hash64(m["account_id"]), m["account_id"]))[:DOTS]
    place = {member["account_id"]: k for k, member in enumerate(chosen)}
    look.connection.execute(RARE)
    rows = look.rows(SHARED.format(marks=", ".join("?" for _ in chosen)), *place)
    edges = [charts.Edge(place[r["a"]], place[r["b"]], "content" if r["content"] else "control") for r in rows]
    return charts.graph(len(chosen), [bool(member["proven"]) for member in chosen], edges), len(chosen)


EXEMPLARS = """
with mine as (
  select token, view, sum(n)::bigint as events, count(*) as accounts from traits join operators using (account_id)
  where operator_id = ? and view in ('lead_skeleton', 'system_skeleton') group by all)
select text, part, mine.events, mine.accounts from mine
join skeletons on skeletons.skeleton = try_cast(token as ubigint)
  and part = case view when 'lead_skeleton' then 'lead' else 'system' end
order by mine.events desc, text limit 8
"""


def _exemplars(look: Look, operator: str) -> list[dict[str, Any]]:
    """Masked text of the operator's most frequent skeletons, with its accounts and events."""
    return look.rows(EXEMPLARS, operator)


def _declared(look: Look, operator: str) -> dict[str, int]:
    """How many different customers the accounts declare to be, by what they declare."""
    names = ("org_id", "payment_id", "email_domain", "country", "phone_id")
    counted = ", ".join(f"count(distinct {name}) as {name}" for name in names)
    row = look.one(f"select {counted} from accounts join operators using (account_id) where operator_id = ?", operator)
    words = dict(zip(names, ("organisations", "payments", "mail domains", "countries", "phones"), strict=True))
    return {words[name]: n for name, n in (row or {}).items() if n}
