"""An ASGI middleware: put it in front of an application, and it asks about each request's account.

app = GuardMiddleware(app, Guard("http://127.0.0.1:8417", key), account=lambda scope: scope["user"].id)
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from stillwatch.service.guards.guard import Guard

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
AccountOf = Callable[[Scope], str | None]


def from_header(name: str) -> AccountOf:
    """The account as a header says it. Only behind something that sets this header itself: a client could lie."""
    wanted = name.lower().encode("latin-1")

    def account(scope: Scope) -> str | None:
        return next((value.decode("latin-1") for key, value in scope["headers"] if key.lower() == wanted), None)

    return account


class GuardMiddleware:
    """Requests of accounts that are blocked, to be verified, or over their rate do not reach the application."""

    def __init__(self, app: App, guard: Guard, account: AccountOf) -> None:
        self.app, self.guard, self.account = app, guard, account

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; one without an account is let through, as it is not the guard's to say who that is."""
        account = self.account(scope) if scope["type"] == "http" else None
        outcome = await self.guard.check(account) if account else None
        if outcome is None or outcome.through:
            await self.app(scope, receive, send)
            return
        data = json.dumps(outcome.body()).encode()
        headers = {"content-type": "application/json", "content-length": str(len(data)), **outcome.headers()}
        start = {"type": "http.response.start", "status": outcome.status}
        await send({**start, "headers": [(name.encode(), value.encode()) for name, value in headers.items()]})
        await send({"type": "http.response.body", "body": data})
