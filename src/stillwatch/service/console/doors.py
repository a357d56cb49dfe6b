"""Coming in with a key, and leaving."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from stillwatch.service.console.rendering import render
from stillwatch.service.console.sessions import COOKIE
from stillwatch.service.console.web import Console, Visit, form_of, from_here, headed, inside
from stillwatch.service.keys import Caller, Role
from stillwatch.service.problems import ProblemError


class Doors:
    """The login page, and what its form and the button to leave do."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def _asked(self, to: str, wrong: str = "", status: int = 200) -> Response:
        words = {"to": inside(to, "/"), "wrong": wrong, "session": None, "source": self.console.source}
        return headed(Response(render("login.html", words), status, media_type="text/html"))

    async def ask(self, request: Request) -> Response:
        """Ask for a key."""
        return self._asked(request.query_params.get("to", "/"))

    async def enter(self, request: Request) -> Response:
        """A key for a cookie. A page of another site cannot send this: it has no key to send."""
        to, now = "/", datetime.now(UTC)
        try:
            words = await form_of(request)
            to = inside(words.get("to", ""), "/")
            caller = self._caller(request, words.get("key", "").strip(), now)
        except ProblemError as problem:
            return self._asked(to, problem.text, problem.status)
        response = headed(RedirectResponse(to, 303))
        self.console.sessions.end(request.cookies.get(COOKIE, ""))
        self.console.remember(response, self.console.sessions.begin(caller, now), request)
        return response

    def _caller(self, request: Request, key: str, now: datetime) -> Caller:
        if not from_here(request):
            raise ProblemError(403, "this form is not from this page")
        caller = self.console.source.keys.caller(key, now)
        if caller is None or not caller.may(Role.VIEWER):
            self.console.source.guessed(request.client.host if request.client else "")
            raise ProblemError(401, "That is no key for the console.")
        return caller

    async def leave(self, visit: Visit) -> Response:
        """Forget the session."""
        self.console.sessions.end(visit.request.cookies.get(COOKIE, ""))
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE, path="/")
        return response
