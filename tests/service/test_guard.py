"""The guard: what it does with each action, how long it waits, and how it fails."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from stillwatch.service.guards.asgi import GuardMiddleware, from_header
from stillwatch.service.guards.guard import Guard, Outcome
from tests.service.serving import Service


class Oracle:
    """A Stillwatch that says what it is told to say, at its leisure."""

    def __init__(self) -> None:
        self.says: dict[str, dict[str, Any]] = {}
        self.pause, self.asked, self.status = 0.0, 0, 200

    def answer(self, account: str) -> dict[str, Any]:
        self.asked += 1
        time.sleep(self.pause)
        return {"action": "allow", "scope": "account", "only": [], "rate": None, **self.says.get(account, {})}


@contextmanager
def speaking(oracle: Oracle) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = json.dumps(oracle.answer(self.path.rsplit("/", 1)[1])).encode()
            try:
                self.send_response(oracle.status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except OSError:
                pass  # the guard has stopped waiting

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def ask(guard: Guard, *accounts: str, **about: str) -> list[Outcome]:
    found = [await guard.check(account, **about) for account in accounts]
    await guard.close()
    return found


def test_each_action_is_done() -> None:
    oracle = Oracle()
    oracle.says = {
        "m": {"action": "monitor"}, "v": {"action": "verify"}, "b": {"action": "block"},
        "t": {"action": "throttle", "rate": "2/hour"},
    }  # fmt: skip
    with speaking(oracle) as url:
        guard = Guard(url, timeout=5)
        found = asyncio.run(ask(guard, "a", "m", "v", "b", "t", "t", "t"))
    assert [one.through for one in found] == [True, True, False, False, True, True, False]
    assert [one.status for one in found[2:4]] == [403, 403]
    assert (found[6].status, found[6].retry_after) == (429, pytest.approx(1800, abs=5))
    assert guard.counts["throttled"] == guard.counts["blocked"] == guard.counts["verify"] == 1
    assert guard.counts["cached"] == 2
    assert found[3].body() == {
        "error": {"type": "account_blocked", "message": "This account may not make this request."}
    }


@pytest.mark.parametrize(("model", "through"), [("big", False), ("small", True), (None, True)])
def test_a_scope_is_kept_to(model: str | None, through: bool) -> None:
    oracle = Oracle()
    oracle.says = {"b": {"action": "block", "scope": "model", "only": ["big"]}}
    with speaking(oracle) as url:
        guard = Guard(url, timeout=5)
        (found,) = asyncio.run(ask(guard, "b", **({"model": model} if model else {})))
    assert found.through is through
    assert guard.counts["scope_unknown"] == (model is None)


@pytest.mark.parametrize("on_failure", ["open", "closed"])
@pytest.mark.parametrize("how", ["slow", "wrong", "gone", "deaf"])
def test_a_guard_fails_as_configured_within_its_time(on_failure: Any, how: str) -> None:
    oracle = Oracle()
    oracle.pause, oracle.status = (1.0, 200) if how == "slow" else (0.0, 500)
    with speaking(oracle) as place, socket.socket() as deaf:
        url = place
        if how in {"gone", "deaf"}:
            deaf.bind(("127.0.0.1", 0))
            if how == "deaf":
                deaf.listen()
            url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        guard = Guard(url, on_failure=on_failure, timeout=0.1, retry_seconds=30)

        async def twice() -> tuple[list[Outcome], float]:
            await guard.check("warm")
            guard._silent_until = 0.0
            began = time.monotonic()
            return await ask(guard, "x", "x"), time.monotonic() - began

        found, took = asyncio.run(twice())
    assert [one.through for one in found] == [on_failure == "open"] * 2
    if on_failure == "closed":
        assert (found[0].status, found[0].retry_after) == (503, 1)
    assert guard.counts[f"failed_{on_failure}"] == 3
    assert guard.counts["asked"] == 2  # not a third time so soon after a failure
    assert took < 0.9  # well below the second that the other side takes, on a busy machine too


def test_what_was_told_holds_while_nobody_answers() -> None:
    oracle = Oracle()
    oracle.says = {"b": {"action": "block"}}

    async def walk(guard: Guard) -> list[bool]:
        first = await guard.check("b")
        oracle.status = 500
        second = await guard.check("b")
        guard._told["b"] = (guard._told["b"][0] - guard.stale_seconds - 1, guard._told["b"][1])
        guard._silent_until = 0.0
        third = await guard.check("b")
        await guard.close()
        return [one.through for one in (first, second, third)]

    with speaking(oracle) as url:
        guard = Guard(url, timeout=5, cache_seconds=-1.0)
        assert asyncio.run(walk(guard)) == [False, False, True]
    assert guard.counts["stale"] == 1
    assert guard.counts["failed_open"] == 1


def test_the_middleware_turns_away_before_the_application() -> None:
    oracle = Oracle()
    oracle.says = {"b": {"action": "block"}}
    reached: list[object] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def call(guard: Guard, account: bytes | None) -> list[Any]:
        headers = [] if account is None else [(b"X-Account", account)]
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        middleware = GuardMiddleware(app, guard, from_header("x-account"))
        await middleware({"type": "http", "headers": headers}, _nothing, send)
        return sent

    async def walk(guard: Guard) -> list[int]:
        told = [await call(guard, account) for account in (b"a", b"b", None)]
        await guard.close()
        return [one[0]["status"] for one in told]

    with speaking(oracle) as url:
        assert asyncio.run(walk(Guard(url, timeout=5))) == [204, 403, 204]
    assert len(reached) == 2


async def _nothing() -> Any:
    raise NotImplementedError


def test_the_guard_understands_the_real_service(service: Service) -> None:
    guard = Guard(service.url, timeout=30)
    (found,) = asyncio.run(ask(guard, "some one/odd"))
    assert found == Outcome(True, "allow")
    assert guard.counts["let_through"] == 1


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_envoys_question_is_answered(service: Service, method: str) -> None:
    """envoy.extensions.filters.http.ext_authz.v3: the path is appended to the prefix, 200 is yes."""
    headers = {"x-stillwatch-account": "anybody"}
    answer = service.client.request(method, "/v1/ext_authz/v1/chat/completions?x=1", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["x-stillwatch-action"] == "allow"
    assert service.client.request(method, "/v1/ext_authz/").status_code == 200
