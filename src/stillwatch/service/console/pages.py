"""The pages that are read: each handler gathers what its template shows."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from functools import partial
from typing import Any

from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from stillwatch.cases.look import RANK, looking
from stillwatch.cases.report import LAWFUL
from stillwatch.decisions import Subject
from stillwatch.decisions.audit import Entry, Verification, verify, write_lines
from stillwatch.engine.runfolder import RunFolder
from stillwatch.service.console import chronicle, people
from stillwatch.service.console.actions import members
from stillwatch.service.console.queue import ORDERS, STANDINGS, Choice, queue, search, stood_by
from stillwatch.service.console.rendering import path, render
from stillwatch.service.console.trail import told
from stillwatch.service.console.web import Visit
from stillwatch.service.problems import ProblemError

ENTRIES = 100
LONGEST_SEARCH = 200
FIGURES = {
    "received_events": "events received",
    "waiting_events": "events to be looked at",
    "age_seconds": "seconds that what is known is behind",
    "look_seconds": "seconds the last look took",
    "accounts": "accounts",
    "decided": "accounts decided on",
    "recognised": "accounts recognised between looks",
    "number": "changes of decisions",
    "up_seconds": "seconds since the start",
}
"""Of the service, and what they count; one that it does not have is not shown."""


def shown(visit: Visit, name: str, here: str, **words: Any) -> Response:
    """A page with what every page shows."""
    source = visit.source
    everywhere = {
        "here": here, "session": visit.session, "who": visit.session.caller, "now": visit.now, "source": source,
        "figures": source.figures(), "docket": source.book.docket, "messages": visit.session.told(),
        "waiting": len(source.book.docket.waiting(visit.now)),
        "appeals": sum(appeal.open for appeal in source.book.docket.appeals.values()),
    }  # fmt: skip
    return Response(render(name, everywhere | words), media_type="text/html")


def run_of(visit: Visit) -> RunFolder:
    """The newest run; ProblemError 404 before there is one."""
    if visit.source.run is None:
        raise ProblemError(404, "nothing has been looked at yet: come back after the first look")
    return RunFolder(visit.source.run)


async def queue_page(visit: Visit) -> Response:
    """Operators by severity and freshness."""
    verdict, standing, order = visit.word("verdict"), visit.word("standing"), visit.word("order", ORDERS[0])
    choice = Choice(
        verdict if verdict in RANK else "",
        standing if standing in STANDINGS else "",
        order if order in ORDERS else ORDERS[0],
        visit.number("page", 1),
    )
    found = None
    if visit.source.run is not None:
        source = visit.source
        found = await visit.read(
            queue, run_of(visit), source.snapshot, source.book.docket, choice, visit.now, source.facts
        )
    return shown(
        visit, "queue.html", "queue", queue=found, choice=choice, ranks=RANK, standings=STANDINGS, orders=ORDERS
    )


def history(visit: Visit, subject: Subject) -> dict[str, Any]:
    """What people did about a subject: for its page and its forms."""
    docket = visit.source.book.docket
    return {
        "subject": subject,
        "orders": docket.orders_of(subject)[::-1],
        "order": docket.order_on(subject, visit.now),
        "listing": docket.listing_of(subject, visit.now),
        "proposal": next((order for order in docket.orders_of(subject) if order.waits(visit.now)), None),
        "subject_appeals": [one for one in docket.appeals.values() if one.subject == subject][::-1],
        "notes": [note for note in docket.notes if note.subject == subject][::-1],
    }


async def operator_page(visit: Visit) -> Response:
    """One operator."""
    id = visit.request.path_params["operator"]
    source, run = visit.source, run_of(visit)
    found = await visit.read(people.operator_page, run, id, visit.number("page", 1))
    if found is None:
        return await _gone(visit, Subject("operator", id))
    judged = source.facts.judged_at if source.facts else visit.now
    changed = await visit.read(chronicle.since, source.chronicle, found.verdict, judged.date())
    found = replace(found, verdict=stood_by(found.verdict, source.facts))
    decisions = {row["account_id"]: source.decision(row["account_id"], visit.now) for row in found.members}
    counts = None
    if source.facts is not None:
        proven = await visit.read(partial(members, source.facts, id, everybody=False))
        counts = {"proven": len(proven), "all": found.verdict["accounts"]}
    return shown(
        visit, "operator.html", "queue", found=found, changed=changed, decisions=decisions, lawful=LAWFUL,
        counts=counts, joining=source.snapshot.of_operator(id, visit.now),
        **history(visit, Subject("operator", id)),
    )  # fmt: skip


async def account_page(visit: Visit) -> Response:
    """One account."""
    id = visit.request.path_params["account"]
    found = await visit.read(people.account_page, run_of(visit), id)
    if found is None:
        return await _gone(visit, Subject("account", id))
    found = replace(found, verdict=stood_by(found.verdict, visit.source.facts))
    decision = visit.source.decision(id, visit.now)
    return shown(
        visit, "account.html", "queue", found=found, decision=decision, **history(visit, Subject("account", id))
    )


async def _gone(visit: Visit, subject: Subject) -> Response:
    """A subject that the newest run does not have: an id that ended leads to its successor, a case stays readable."""
    merged = visit.source.facts.merged if visit.source.facts else {}
    if subject.kind == "operator" and subject.id in merged:
        visit.session.tell("done", f"{subject.id} is now part of {merged[subject.id]}")
        return RedirectResponse(f"/operators/{path(merged[subject.id])}", 303)
    past = history(visit, subject)
    if not (past["orders"] or past["listing"] or past["subject_appeals"] or past["notes"]):
        raise ProblemError(404, f"the newest run has no {subject.kind} of that id")
    decision = visit.source.decision(subject.id, visit.now) if subject.kind == "account" else None
    return shown(visit, "gone.html", "queue", decision=decision, **past)


async def decisions_page(visit: Visit) -> Response:
    """What waits for somebody, and what is in force."""
    docket = visit.source.book.docket
    ended = [order for order in docket.orders.values() if not order.holds(visit.now) and not order.waits(visit.now)]
    return shown(
        visit, "decisions.html", "decisions",
        proposals=docket.waiting(visit.now),
        in_force=[order for order in docket.orders.values() if order.holds(visit.now)][::-1],
        listings=[one for one in docket.listings.values() if one.holds(visit.now)][::-1],
        open_appeals=[one for one in docket.appeals.values() if one.open],
        ended=ended[::-1][:50], policy=visit.source.policy,
    )  # fmt: skip


async def search_page(visit: Visit) -> Response:
    """Operators and accounts by id, or accounts by what they declare."""
    text = visit.word("q").strip()[:LONGEST_SEARCH]
    found = await visit.read(search, run_of(visit), text) if text else []
    found = [stood_by(row, visit.source.facts) for row in found]
    if len(found) == 1:
        return RedirectResponse(f"/{found[0]['kind']}s/{path(found[0]['id'])}", 303)
    return shown(visit, "search.html", "search", text=text, found=found)


def _checked(visit: Visit) -> tuple[list[Entry], Verification]:
    entries = visit.source.book.entries()
    return entries, verify(entries)


async def audit_page(visit: Visit) -> Response:
    """The log, the newest first, and whether it is sound."""
    entries, found = await visit.read(_checked, visit)
    subject = visit.word("subject")
    lines = (told(entry, visit.source.book.docket) for entry in entries)
    wanted = [line for line in lines if subject in {"", line.subject}]
    pages = max(1, -(-len(wanted) // ENTRIES))
    page = min(max(1, visit.number("page", 1)), pages)
    newest = wanted[::-1][(page - 1) * ENTRIES : page * ENTRIES]
    return shown(
        visit, "audit.html", "audit", lines=newest, verification=found, page=page, pages=pages, total=len(wanted),
        about=subject, kept=visit.source.book.anchor_failed,
    )  # fmt: skip


async def audit_export(visit: Visit) -> Response:
    """The whole log as JSON lines, for `stillwatch audit verify`."""
    entries = await visit.read(visit.source.book.entries)
    headers = {"content-disposition": 'attachment; filename="audit.jsonl"'}
    return StreamingResponse(write_lines(entries), media_type="application/x-ndjson", headers=headers)


async def accounts_export(visit: Visit) -> Response:
    """An operator's accounts with what is decided on each, as CSV."""
    id = visit.request.path_params["operator"]
    members = await visit.read(_members, run_of(visit), id)
    out = io.StringIO()
    written = csv.writer(out, lineterminator="\r\n")
    written.writerow(["account_id", "operator_id", "membership", "bits", "action", "would", "by", "rule", "expires_at"])
    for row in members:
        said = visit.source.decision(row["account_id"], visit.now)
        ends = said.expires_at.isoformat() if said.expires_at else ""
        cells = [row["account_id"], id, "proven" if row["proven"] else "linked", f"{row['membership_bits']:.2f}",
                 said.action, said.would, said.by, said.rule, ends]  # fmt: skip
        written.writerow([harmless(str(cell)) for cell in cells])
    headers = {"content-disposition": 'attachment; filename="accounts.csv"'}
    return Response(out.getvalue().encode("utf-8", "replace"), media_type="text/csv; charset=utf-8", headers=headers)


def _members(run: RunFolder, id: str) -> list[dict[str, Any]]:
    with looking(run) as look:
        return look.rows("select * from operators where operator_id = ? order by account_id", id)


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r", "\n", "|", "%"} else cell


async def live_page(visit: Visit) -> Response:
    """Live figures; the page asks for itself again every ten seconds, with or without scripts."""
    response = shown(visit, "live.html", "live", names=FIGURES)
    response.headers["refresh"] = "10"
    return response


async def figures(visit: Visit) -> Response:
    """The figures alone, for the script."""
    docket = visit.source.book.docket
    extra = {
        "waiting_approval": len(docket.waiting(visit.now)),
        "open_appeals": sum(appeal.open for appeal in docket.appeals.values()),
    }
    known = {name: value for name, value in visit.source.figures().items() if isinstance(value, int | float | str)}
    return JSONResponse(known | extra)
