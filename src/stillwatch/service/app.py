"""The web layer: who asks, what for, and the answer. What is computed lies in `live`, `deciding` and `reading`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import lru_cache
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.datastructures import URL
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stillwatch import __version__
from stillwatch.service import otlp
from stillwatch.service.deciding import as_dict, now
from stillwatch.service.envoy import Authorisation
from stillwatch.service.keys import Caller, Role
from stillwatch.service.live import Live
from stillwatch.service.logs import say
from stillwatch.service.metrics import CONTENT_TYPE
from stillwatch.service.openapi import document
from stillwatch.service.problems import ProblemError
from stillwatch.service.reading import Body

JSON = "application/json"
TURN = 50
"""Accounts of a bulk look-up that are worked off at a time."""
PIECE = 64 << 10
"""Bytes of an answer that are sent before the client must have read some."""
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]


class _Anything(Convertor[str]):
    """Whatever stands in a path, newlines too: an account's id is not ours to choose."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("anything", _Anything())
Handler = Callable[[Request, Live, Caller], Awaitable[Response]]


def create_app(live: Live, more: list[BaseRoute] | None = None, *, run: bool = True) -> ASGIApp:
    """The application. `more` are routes beside the API (the console); `run` starts and stops `live` with it."""

    @contextlib.asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        if run:
            await live.start()
        try:
            yield
        finally:
            if run:
                await live.stop()

    routes: list[BaseRoute] = [  # tried in order: what is asked for most stands first
        Route("/v1/decisions/{account:anything}", needs(Role.VIEWER, decision, live), methods=["GET"]),
        Route("/v1/traces", needs(Role.INGEST, traces, live), methods=["POST"]),
        Route("/v1/events", needs(Role.INGEST, events, live), methods=["POST"]),
        Route("/v1/decisions", needs(Role.VIEWER, changes, live), methods=["GET"]),
        Route("/v1/decisions", needs(Role.VIEWER, bulk, live), methods=["POST"]),
        Route("/v1/ext_authz{path:anything}", needs(Role.VIEWER, Authorisation(), live), methods=METHODS),
        Route("/v1/status", needs(Role.VIEWER, status, live), methods=["GET"]),
        Route("/metrics", needs(Role.VIEWER, metrics, live), methods=["GET"]),
        Route("/healthz", _healthz(live), methods=["GET"]),
        Route("/openapi.json", _openapi, methods=["GET"]),
        *(more or []),
    ]
    app = Starlette(routes=routes, lifespan=life)
    app.state.live = live
    return Outer(app, live)


# --- who asks -------------------------------------------------------------------------------------------------------


def needs(role: Role, handler: Handler, live: Live) -> Callable[[Request], Awaitable[Response]]:
    """A handler for callers with a role; whatever it raises becomes an answer."""

    async def endpoint(request: Request) -> Response:
        try:
            caller = authenticated(request, live)
            live.rates.take(caller.id)
            if not caller.may(role):
                raise ProblemError(403, f"this takes a key with the role {role.value}")
            return await handler(request, live, caller)
        except ProblemError as problem:
            return _problem(problem)
        except ClientDisconnect:
            return Response(status_code=499)

    endpoint.__name__ = getattr(handler, "__name__", type(handler).__name__)
    return endpoint


def authenticated(request: Request, live: Live) -> Caller:
    """Who asks; ProblemError 401 without a key that holds, 429 for an address that goes on guessing.

    A service without keys answers to names of this machine alone: a page in a browser here could otherwise reach it
    under a name of its own that leads to loopback.
    """
    if live.keys.open and _name(request.scope) not in LOOPBACK:
        raise ProblemError(403, "a service without keys is reached as localhost alone")
    header = request.headers.get("authorization", "")
    scheme, _, key = header.partition(" ")
    if scheme.lower() != "bearer":
        key = request.headers.get("x-stillwatch-key", "")
    caller = live.keys.caller(key.strip(), now())
    if caller is None:
        live.guesses.take(request.client.host if request.client else "")
        raise ProblemError(401, "give a key: Authorization: Bearer sw_...")
    return caller


def _name(scope: Scope) -> str:
    """The name by which this service was asked; empty if nothing says so."""
    given, server = next((value for key, value in scope["headers"] if key == b"host"), None), scope.get("server")
    return _read_name(scope["scheme"], given, tuple(server) if server else None)


@lru_cache(maxsize=64)
def _read_name(scheme: str, given: bytes | None, server: tuple[str, int | None] | None) -> str:
    """As Starlette reads it off a request, which takes a third of a look-up's time: remembered for the same words."""
    headers = [] if given is None else [(b"host", given)]
    return URL(scope={"scheme": scheme, "server": server, "path": "/", "headers": headers}).hostname or ""


def _problem(problem: ProblemError) -> Response:
    headers = {}
    if problem.retry_after is not None:
        headers["retry-after"] = str(max(1, math.ceil(problem.retry_after)))
    if problem.status == 401:
        headers["www-authenticate"] = "Bearer"
    return Response(orjson.dumps(problem.as_dict()), problem.status, headers, JSON)


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type=JSON)


async def body_of(request: Request, live: Live) -> bytes:
    """The body within its limits of size and time; ProblemError 408, 411 or 413."""
    most = live.limits.max_body_bytes
    too_long = ProblemError(413, f"the body is longer than {most:,} bytes: send less at once")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most:
        raise too_long
    out = bytearray()
    try:
        async with asyncio.timeout(live.limits.body_seconds):
            async for piece in request.stream():
                out += piece
                if len(out) > most:
                    raise too_long
    except TimeoutError as error:
        raise ProblemError(408, f"the body did not come within {live.limits.body_seconds:g} seconds") from error
    return bytes(out)


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


# --- events in ------------------------------------------------------------------------------------------------------


async def traces(request: Request, live: Live, _: Caller) -> Response:
    """OTLP over HTTP."""
    kind = _content_type(request)
    try:
        data = await body_of(request, live)
        found = await live.receive(Body("traces", kind, request.headers.get("content-encoding", ""), data))
    except ProblemError as problem:
        live.metrics.bodies.labels("traces", str(problem.status)).inc()
        raise
    return Response(otlp.answer(kind, found.rejected, found.message()), media_type=kind)


async def events(request: Request, live: Live, _: Caller) -> Response:
    """Canonical events, or records of a gateway's log."""
    format = request.query_params.get("format", "table")
    try:
        data = await body_of(request, live)
        body = Body("events", _content_type(request), request.headers.get("content-encoding", ""), data, format)
        found = await live.receive(body)
    except ProblemError as problem:
        live.metrics.bodies.labels("events", str(problem.status)).inc()
        raise
    answer = {
        "accepted": found.kept, "rejected": found.rejected, "reasons": found.reasons,
        "rows": [{"row": row, "reason": reason} for row, reason in found.shown],
    }  # fmt: skip
    # a body of which nothing can be used is the sender's to mend; an empty one is none
    return _json(answer, 400 if found.rejected and not found.kept else 200)


# --- decisions out --------------------------------------------------------------------------------------------------


def _decided(live: Live, account: str) -> dict[str, Any]:
    return as_dict(live.holds(account), account, live.decisions.snapshot.mode)


async def decision(request: Request, live: Live, _: Caller) -> Response:
    """One account."""
    return _json(_decided(live, request.path_params["account"]))


async def bulk(request: Request, live: Live, _: Caller) -> Response:
    """Many accounts at once; with `after`, those of them whose decision may have changed since, perhaps after a wait.

    Who copies decisions names its accounts as it knows them: from a pseudonym alone nobody could tell them.
    """
    try:
        asked = orjson.loads(await body_of(request, live))
        accounts = asked["accounts"]
        if not isinstance(accounts, list) or not all(isinstance(one, str) for one in accounts):
            raise TypeError
    except (ValueError, KeyError, TypeError) as error:
        raise ProblemError(400, 'the body is JSON: {"accounts": ["...", ...]}') from error
    if len(accounts) > live.limits.bulk:
        raise ProblemError(413, f"more than {live.limits.bulk:,} accounts at once")
    after, wait = (_whole(name, asked.get(name, 0)) for name in ("after", "wait"))
    whole: dict[str, Any] = {}
    if after:
        ids = [live.id_of(account) for account in accounts]
        await _waited(live, after, wait, frozenset(ids))
        names = live.decisions.since(after)
        whole = {"whole": names is None}
        if names is not None:
            accounts = [account for account, id in zip(accounts, ids, strict=True) if id in names]
    number, decisions = live.decisions.number, []
    for place, account in enumerate(accounts, 1):
        decisions.append(_decided(live, account))
        if not place % TURN:
            await asyncio.sleep(0)  # single look-ups get their turn
    return _long({"number": number, **whole, "decisions": decisions})


async def changes(request: Request, live: Live, _: Caller) -> Response:
    """What changed since a number; waits for it if `wait` says so."""
    after, wait = (_whole(name, request.query_params.get(name, "0")) for name in ("after", "wait"))
    await _waited(live, after, wait)
    names = live.decisions.since(after) if after else None
    at, mode = now(), live.decisions.snapshot.mode
    chosen = live.decisions.all() if names is None else names
    decisions = [as_dict(live.decisions.get(name, at), name, mode) for name in sorted(chosen)]
    # what a copy holds beyond these allows: `whole` says that it must let go of the rest
    return _long({"number": live.decisions.number, "whole": names is None, "decisions": decisions})


async def _waited(live: Live, after: int, wait: int, ids: frozenset[str] | None = None) -> None:
    """Until something changed since `after` (about one of `ids`), or the time is over; ProblemError 429 at once."""
    seconds = min(wait, live.limits.poll_seconds)
    if not seconds or not live.decisions.unchanged(after, ids):
        return
    gauge = live.metrics.pollers
    if gauge._value.get() >= live.limits.pollers:
        raise ProblemError(429, "too many long polls wait already", retry_after=5)
    with gauge.track_inprogress():
        await live.decisions.wait(after, seconds, ids)


def _whole(name: str, given: Any) -> int:
    text = given if isinstance(given, str) else str(given) if type(given) is int else ""
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise ProblemError(400, f"{name} is a whole number")
    return int(text)


def _long(value: Any) -> Response:
    """An answer in pieces, each of which the client must have taken before the next: its slowness is not our memory."""
    data = orjson.dumps(value)
    if len(data) <= PIECE:
        return Response(data, media_type=JSON)

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(data), PIECE):
            yield data[at : at + PIECE]

    return StreamingResponse(pieces(), media_type=JSON, headers={"content-length": str(len(data))})


# --- how it is ------------------------------------------------------------------------------------------------------


async def status(request: Request, live: Live, _: Caller) -> Response:
    """How fresh what is known is."""
    return _json(facts(live))


def facts(live: Live) -> dict[str, Any]:
    """For the status and the console."""
    last, waiting, decisions, levels = live.fresh.last, live.fresh.waiting, live.decisions, live.decisions.levels
    return {
        "version": __version__, "mode": decisions.snapshot.mode, "killed": decisions.snapshot.killed,
        "run": None if decisions.run is None else decisions.run.name,
        "level": levels.level, "level_spent": levels.spent, "pending": len(levels.pending),
        "age_seconds": live.fresh.age(live.committer.last), "look_seconds": None if last is None else last.seconds,
        "trouble": live.trouble(),
        "received_events": live.committer.events, "waiting_events": waiting.events, "waiting_bytes": waiting.bytes,
        "accounts": len(decisions.snapshot), "decided": len(decisions.snapshot.said),
        "recognised": len(decisions.seen), "number": decisions.number,
        "up_seconds": round(time.time() - live.started_at, 1),
    }  # fmt: skip


async def metrics(request: Request, live: Live, _: Caller) -> Response:
    """For Prometheus."""
    return Response(live.metrics.text(), media_type=CONTENT_TYPE)


def _healthz(live: Live) -> Callable[[Request], Awaitable[Response]]:
    async def healthz(_: Request) -> Response:
        trouble = live.committer.trouble is not None
        return _json({"ok": not trouble}, 503 if trouble else 200)

    return healthz


async def _openapi(request: Request) -> Response:
    return _json(document())


# --- around everything ----------------------------------------------------------------------------------------------


class Outer:
    """Times every request, and hides what went wrong inside."""

    def __init__(self, app: Starlette, live: Live) -> None:
        self.app, self.live, self.state = app, live, app.state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500
        started = False

        async def sent(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                message["headers"] = [*message.get("headers", []), (b"x-content-type-options", b"nosniff")]
            await send(message)

        try:
            await self.app(scope, receive, sent)
        except Exception as error:
            say("failed", level=logging.ERROR, error=error, route=_route(scope))
            if not started:
                await _json({"error": "something went wrong here; it has been logged"}, 500)(scope, receive, send)
        finally:
            self.live.metrics.requests.labels(_route(scope), str(status)).observe(time.perf_counter() - began)


def _route(scope: Scope) -> str:
    """The route's own words, not what was asked: paths hold ids."""
    route = scope.get("route")
    return str(getattr(route, "path", None) or getattr(scope.get("endpoint"), "__name__", "none"))
