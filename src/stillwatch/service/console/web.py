"""Around every page: who asks, whether a form is ours, headers that let nothing in, and what is said when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from stillwatch.errors import StillwatchError, UsageError
from stillwatch.service.console.rendering import render
from stillwatch.service.console.sessions import COOKIE, Session, Sessions
from stillwatch.service.console.source import Source
from stillwatch.service.keys import LOCAL, Role
from stillwatch.service.problems import ProblemError

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
LONGEST_FORM = 64 << 10
READERS = 4
"""Pages that read a run at once; more would only wait for the same disk."""
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Visit:
    """One request of somebody who may make it."""

    request: Request
    source: Source
    session: Session
    now: datetime
    form: Mapping[str, str]
    readers: asyncio.Semaphore

    def word(self, name: str, default: str = "") -> str:
        """A word of the query."""
        return self.request.query_params.get(name, default)

    def number(self, name: str, default: int = 0, most: int = 1_000_000) -> int:
        """A whole number of the query; what is none is the default."""
        text = self.word(name)
        return min(int(text), most) if text.isascii() and text.isdecimal() and len(text) < 10 else default

    async def read(self, work: Callable[..., Any], *words: Any) -> Any:
        """Do something slow in a thread, a few at a time."""
        async with self.readers:
            return await asyncio.to_thread(work, *words)


Handler = Callable[[Visit], Awaitable[Response]]


class Console:
    """The source and the sessions, and how handlers become endpoints."""

    def __init__(self, source: Source, *, secure: bool) -> None:
        self.source, self.secure = source, secure
        self.sessions = Sessions(source.keys)
        self.readers = asyncio.Semaphore(READERS)

    def page(self, handler: Handler, role: Role = Role.VIEWER) -> Callable[[Request], Awaitable[Response]]:
        """A page for those with a role; others are asked for a key, or told that theirs does not do."""

        async def endpoint(request: Request) -> Response:
            return await self._answered(request, handler, role, {})

        endpoint.__name__ = handler.__name__
        return endpoint

    def form(self, handler: Handler, role: Role) -> Callable[[Request], Awaitable[Response]]:
        """What a form does; only for a form of this session, from a page of ours."""

        async def endpoint(request: Request) -> Response:
            try:
                words = await form_of(request)
            except ProblemError as problem:
                return self._wrong(request, None, problem.status, problem.text)
            return await self._answered(request, handler, role, words)

        endpoint.__name__ = handler.__name__
        return endpoint

    async def _answered(self, request: Request, handler: Handler, role: Role, words: Mapping[str, str]) -> Response:
        now = datetime.now(UTC)
        session, cookie = self.who(request, now)
        if session is None:
            to = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return headed(RedirectResponse(f"/login?to={quote(to, safe='')}", 303))
        response = await self._handled(request, session, handler, role, words, now)
        if cookie:
            self.remember(response, cookie, request)
        return response

    async def _handled(
        self, request: Request, session: Session, handler: Handler, role: Role, words: Mapping[str, str], now: datetime
    ) -> Response:
        try:
            self.source.visited(session.caller.id)
            if not session.caller.may(role):
                raise ProblemError(
                    403, f"this takes a key with the role {role.value}; yours is {session.caller.name}'s"
                )
            if request.method == "POST":
                _ours(request, session, words)
            return headed(await handler(Visit(request, self.source, session, now, words, self.readers)))
        except ProblemError as problem:
            return self._wrong(request, session, problem.status, problem.text)
        except UsageError as error:
            return self._wrong(request, session, 409, str(error))
        except StillwatchError as error:
            return self._wrong(request, session, 503, str(error))
        except ClientDisconnect:
            return Response(status_code=499)

    def who(self, request: Request, now: datetime) -> tuple[Session | None, str]:
        """The session of a request, and a cookie to set if it is new: without keys everybody here is `local`.

        A service without keys answers to names of this machine alone, as the API does.
        """
        session = self.sessions.find(request.cookies.get(COOKIE, ""), now)
        if session is not None or not self.source.keys.open or (request.url.hostname or "") not in LOOPBACK:
            return session, ""
        cookie = self.sessions.begin(LOCAL, now)
        return self.sessions.find(cookie, now), cookie

    def remember(self, response: Response, cookie: str, request: Request) -> None:
        """Set the cookie: no script can read it, no other site's page sends it."""
        secure = self.secure or request.url.scheme == "https"
        response.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", secure=secure, path="/")

    def _wrong(self, request: Request, session: Session | None, status: int, text: str) -> Response:
        words = {"status": status, "text": text, "session": session, "source": self.source}
        return headed(Response(render("error.html", words), status, media_type="text/html"))


def _ours(request: Request, session: Session, words: Mapping[str, str]) -> None:
    """ProblemError 403 for a form that does not come from a page of this session."""
    if not from_here(request) or not session.brought_back(words.get("form", "")):
        raise ProblemError(403, "this form is not of your session: open the page again and send it from there")


def from_here(request: Request) -> bool:
    """Whether the browser says that one of our pages sent this; one that says nothing has its secret checked alone."""
    return request.headers.get("sec-fetch-site", "same-origin") in {"same-origin", "none"}


def inside(asked: str, otherwise: str) -> str:
    """A path of ours to go back to, never another site's."""
    ours = asked.startswith("/") and not asked.startswith(("//", "/\\")) and "\\" not in asked
    return asked if ours and asked.isprintable() and asked.isascii() else otherwise


def headed(response: Response) -> Response:
    """With the headers of every page."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


async def form_of(request: Request) -> dict[str, str]:
    """Words of a form; ProblemError for what is none or too long. Of a repeated word the last counts."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise ProblemError(415, "a form is application/x-www-form-urlencoded")
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > LONGEST_FORM:
            raise ProblemError(413, "the form is too long")
    try:
        pairs = parse_qsl(data.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=64)
    except ValueError as error:
        raise ProblemError(400, "this is no form") from error
    return {name: value.replace("\r\n", "\n") for name, value in pairs}
