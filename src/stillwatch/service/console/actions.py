"""What forms do: each is one call of the casebook, which refuses what may not be; then back to the page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import unquote

from starlette.responses import RedirectResponse, Response

from stillwatch.decisions import Action, Certainty, RefusedError, RunFacts, Scope, Subject
from stillwatch.errors import UsageError
from stillwatch.service.console.rendering import path
from stillwatch.service.console.web import Visit, inside
from stillwatch.service.keys import Role
from stillwatch.service.problems import ProblemError


async def done(visit: Visit, change: Callable[..., Any], said: str, back: str) -> Response:
    """Make a change by whoever asks, now; what is refused is said on the page that asked."""
    try:
        await asyncio.to_thread(change, by=visit.session.caller.name, at=visit.now)
    except UsageError as error:
        visit.session.tell("refused", str(error))
    else:
        await visit.source.changed()
        visit.session.tell("done", said)
    return RedirectResponse(inside(visit.form.get("back", ""), back), 303)


def subject_of(visit: Visit) -> Subject:
    """Whom the form is about, the id percent-encoded as browsers change line ends; ProblemError 400 if nobody."""
    kind, _, id = visit.form.get("subject", "").partition(":")
    try:
        return Subject.parse(f"{kind}:{unquote(id)}")
    except ValueError as error:
        raise ProblemError(400, str(error)) from error


def home(subject: Subject) -> str:
    """The subject's page."""
    return f"/{subject.kind}s/{path(subject.id)}"


def _word(visit: Visit, name: str) -> str:
    return visit.form.get(name, "").strip()


def _whole(visit: Visit, name: str, default: int) -> int:
    text = _word(visit, name) or str(default)
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        raise UsageError(f"{name}: a whole number, not {text[:20]!r}")
    return int(text)


async def propose(visit: Visit) -> Response:
    """An order; a block waits for a second person."""
    subject = subject_of(visit)
    try:
        action, scope = Action(_word(visit, "action")), Scope(_word(visit, "scope") or "account")
    except ValueError as error:
        raise ProblemError(400, "there is no such action or scope") from error
    if action is Action.THROTTLE and not visit.session.caller.may(Role.APPROVER):
        raise ProblemError(403, "a throttle takes a key with the role approver")
    change = partial(_proposed, visit, subject, action, scope)
    waits = action is Action.BLOCK
    said = f"A block of {subject.id} is proposed; somebody else has to approve it." if waits else (
        f"{action.value} holds for {subject.id} now."
    )  # fmt: skip
    return await done(visit, change, said, home(subject))


def _proposed(visit: Visit, subject: Subject, action: Action, scope: Scope, **who: Any) -> None:
    only = [name.strip() for name in _word(visit, "only").split(",") if name.strip()]
    facts = visit.source.facts
    verdict, accounts = "", []
    if facts is not None and subject.kind == "operator" and subject.id in facts.operators:
        verdict = facts.operators[subject.id].verdict.value
        everybody = _word(visit, "members") == "all"
        accounts = members(facts, subject.id, everybody=everybody)
        _still_those(visit, accounts, everybody)
    elif facts is not None and subject.kind == "account" and subject.id in facts.accounts:
        verdict = facts.accounts[subject.id].operator.verdict.value
    visit.source.book.propose(
        subject, action, reason=_word(visit, "reason"), days=_whole(visit, "days", 14), scope=scope, only=only,
        rate=_word(visit, "rate") or None if action is Action.THROTTLE else None, accounts=accounts, verdict=verdict,
        evidence=home(subject), **who,
    )  # fmt: skip


def members(facts: RunFacts, operator: str, *, everybody: bool) -> list[str]:
    """Accounts of an operator that an order on it would name: those that are proven, or all."""
    mine = (account for account in facts.accounts.values() if account.operator.operator_id == operator)
    return [one.account_id for one in mine if everybody or one.certainty is not Certainty.LINKED]


def _still_those(visit: Visit, accounts: list[str], everybody: bool) -> None:
    """UsageError if the operator is no longer the one on the page: nobody decides on accounts that he has not seen."""
    seen = _word(visit, f"count_{'all' if everybody else 'proven'}")
    if seen and seen != str(len(accounts)):
        raise RefusedError(
            f"the page showed {seen} accounts and there are {len(accounts):,} now: look again before you decide"
        )


async def approve(visit: Visit) -> Response:
    """The second pair of eyes."""
    id = visit.request.path_params["order"]
    change = partial(visit.source.book.approve, id)
    return await done(visit, change, f"{id} is in force.", "/decisions")


async def decline(visit: Visit) -> Response:
    """No to a block: by an approver, or its withdrawal by who proposed it."""
    id = visit.request.path_params["order"]
    order = visit.source.book.docket.orders.get(id)
    own = order is not None and order.proposed_by == visit.session.caller.name
    if not own and not visit.session.caller.may(Role.APPROVER):
        raise ProblemError(403, "this takes a key with the role approver")
    change = partial(visit.source.book.decline, id, reason=_word(visit, "reason"))
    return await done(visit, change, f"{id} is declined.", "/decisions")


async def lift(visit: Visit) -> Response:
    """The end of an order before its time."""
    id = visit.request.path_params["order"]
    change = partial(visit.source.book.lift, id, reason=_word(visit, "reason"))
    return await done(visit, change, f"{id} is lifted.", "/decisions")


async def allow(visit: Visit) -> Response:
    """Onto the allow list."""
    subject = subject_of(visit)

    def change(**who: Any) -> None:
        visit.source.book.allow(subject, reason=_word(visit, "reason"), days=_whole(visit, "days", 90), **who)

    return await done(visit, change, f"{subject.id} is on the allow list.", home(subject))


async def unlist(visit: Visit) -> Response:
    """Off the allow list."""
    id = visit.request.path_params["listing"]
    change = partial(visit.source.book.unlist, id, reason=_word(visit, "reason"))
    return await done(visit, change, f"{id} is off the allow list.", "/decisions")


async def appeal(visit: Visit) -> Response:
    """Take down an appeal."""
    subject = subject_of(visit)
    change = partial(visit.source.book.appeal, subject, text=_word(visit, "text"))
    return await done(visit, change, "The appeal is taken down; somebody has to answer it.", home(subject))


async def answer(visit: Visit) -> Response:
    """Decide on an appeal."""
    id = visit.request.path_params["appeal"]
    upheld = _word(visit, "upheld")
    if upheld not in {"yes", "no"}:
        raise ProblemError(400, "upheld: yes or no")

    def change(**who: Any) -> None:
        reason, days = _word(visit, "reason"), _whole(visit, "days", 90)
        visit.source.book.answer(id, upheld=upheld == "yes", reason=reason, days=days, **who)

    return await done(visit, change, f"{id} is {'upheld' if upheld == 'yes' else 'turned down'}.", "/decisions")


async def note(visit: Visit) -> Response:
    """A remark."""
    subject = subject_of(visit)
    change = partial(visit.source.book.note, subject, text=_word(visit, "text"))
    return await done(visit, change, "Noted.", home(subject))


async def kill_switch(visit: Visit) -> Response:
    """Stop or resume all enforcement."""
    on = _word(visit, "on") == "yes"
    change = partial(visit.source.book.kill_switch, on=on, reason=_word(visit, "reason"))
    said = "The kill switch is on: nothing is enforced." if on else "The kill switch is off."
    return await done(visit, change, said, "/decisions")
