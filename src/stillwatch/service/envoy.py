"""Envoy's external authorisation over HTTP: Envoy repeats a request's head here and goes by the status.

200 lets it through, and anything else is what the client gets. The account is in the header `x-stillwatch-account`,
which Envoy must set itself (from a verified token, for instance) and must take off what comes from outside: who may set
this header may say who it is. A throttle is counted in this process.
"""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response

from stillwatch.service.deciding import as_dict
from stillwatch.service.guards.guard import Guard
from stillwatch.service.keys import Caller
from stillwatch.service.live import Live

ACCOUNT, MODEL, REGION = "x-stillwatch-account", "x-stillwatch-model", "x-stillwatch-region"


class Authorisation:
    """The endpoint, with the rates of accounts that are throttled."""

    def __init__(self) -> None:
        self.guard = Guard("")

    async def __call__(self, request: Request, live: Live, _: Caller) -> Response:
        """One request, of any method and path; one without an account is let through."""
        account = request.headers.get(ACCOUNT, "")
        if not account:
            return Response(status_code=200)
        decision = as_dict(live.holds(account), account, live.decisions.snapshot.mode)
        about = {"model": request.headers.get(MODEL), "region": request.headers.get(REGION)}
        outcome = self.guard.outcome(account, decision, about)
        headers = {"x-stillwatch-action": str(decision["action"]), **outcome.headers()}
        if outcome.through:
            return Response(status_code=200, headers=headers)
        return Response(orjson.dumps(outcome.body()), outcome.status, headers, "application/json")
