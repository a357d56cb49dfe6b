"""Which path is which page, and who may open it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from stillwatch.service.console import actions, pages
from stillwatch.service.console.doors import Doors
from stillwatch.service.console.source import Source
from stillwatch.service.console.web import Console, headed
from stillwatch.service.keys import Role

READ = {
    "/": pages.queue_page,
    "/operators/{operator:path}/accounts.csv": pages.accounts_export,
    "/operators/{operator:path}": pages.operator_page,
    "/accounts/{account:path}": pages.account_page,
    "/decisions": pages.decisions_page,
    "/search": pages.search_page,
    "/audit": pages.audit_page,
    "/audit.jsonl": pages.audit_export,
    "/live": pages.live_page,
    "/figures": pages.figures,
}
"""Pages, for every role but ingest."""
WRITTEN = {
    "/orders": (actions.propose, Role.ANALYST),
    "/orders/{order}/approve": (actions.approve, Role.APPROVER),
    "/orders/{order}/decline": (actions.decline, Role.ANALYST),
    "/orders/{order}/lift": (actions.lift, Role.APPROVER),
    "/listings": (actions.allow, Role.APPROVER),
    "/listings/{listing}/end": (actions.unlist, Role.APPROVER),
    "/appeals": (actions.appeal, Role.ANALYST),
    "/appeals/{appeal}/answer": (actions.answer, Role.APPROVER),
    "/notes": (actions.note, Role.ANALYST),
    "/kill-switch": (actions.kill_switch, Role.APPROVER),
}
"""Forms, and the least role that may send each."""
STATIC = {"console.css": "text/css", "console.js": "text/javascript"}


def console_routes(source: Source, *, secure: bool = False) -> list[BaseRoute]:
    """All of them. `secure` says that browsers come over TLS although the service itself does not end it."""
    console = Console(source, secure=secure)
    doors = Doors(console)
    return [
        *(Route(path, console.page(handler), methods=["GET"]) for path, handler in READ.items()),
        *(Route(path, console.form(handler, role), methods=["POST"]) for path, (handler, role) in WRITTEN.items()),
        Route("/login", doors.ask, methods=["GET"]),
        Route("/login", doors.enter, methods=["POST"]),
        Route("/logout", console.form(doors.leave, Role.VIEWER), methods=["POST"]),
        *(Route(f"/static/{name}", _static(name, kind), methods=["GET"]) for name, kind in STATIC.items()),
    ]


def _static(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    data = files("stillwatch.service.console").joinpath("static", name).read_bytes()

    async def static(_: Request) -> Response:
        response = headed(Response(data, media_type=kind))
        response.headers["cache-control"] = "private, max-age=300"
        return response

    return static
