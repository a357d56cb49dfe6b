"""The report: one self-contained page that a person is glad to open and a lawyer can print."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from stillwatch.cases import about, charts
from stillwatch.cases.look import ACCUSED, Look, looking
from stillwatch.cases.text import FILTERS
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
    made.filters |= FILTERS
    return made


def _section(look: Look, row: dict[str, Any], manifest: dict[str, Any]) -> Section:
    operator = row["operator_id"]
    members = about.members(look, operator)
    graph, drawn = _graph(look, members) if len(members) > 1 else (None, 0)
    return Section(
        verdict=row,
        bars=waterfall(look.evidence(operator), manifest.get("signals", [])),
        timeline=_timeline(look, operator, manifest),
        graph=graph,
        drawn=drawn,
        exemplars=about.exemplars(look, operator),
        explanations=manifest.get("explanations", {}).get(operator, []),
        members=members[:LISTED],
        streams=[stream for stream in look.streams(operator) if stream["role"] != "member"][:LISTED],
        declared=about.declared(look, operator),
    )


def _timeline(look: Look, operator: str, manifest: dict[str, Any]) -> Markup:
    days = about.days(look, operator)
    closed = about.closures(look, operator)
    return charts.timeline([day for day, _ in days], [n for _, n in days], about.releases(manifest), closed)


def _graph(look: Look, members: list[dict[str, Any]]) -> tuple[Markup, int]:
    chosen = sorted(members, key=lambda m: (hash64(m["account_id"]), m["account_id"]))[:DOTS]
    place = {member["account_id"]: k for k, member in enumerate(chosen)}
    edges = [charts.Edge(place[pair.a], place[pair.b], pair.kind) for pair in about.shared(look, place)]
    return charts.graph(len(chosen), [bool(member["proven"]) for member in chosen], edges), len(chosen)
