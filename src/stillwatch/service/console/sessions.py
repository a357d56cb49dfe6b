"""Sessions: a key is given once, afterwards a cookie stands for it, for as long as the key itself is good.

The cookie is 256 random bits; the server knows its hash, whose it is, and a second secret that every form must bring
back, so that a page of somebody else cannot send one. Sessions live in memory: a restart ends them.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from stillwatch.service.keys import IMPLIED, LOCAL, Caller, Keys

COOKIE = "stillwatch_session"
IDLE, LONGEST = timedelta(minutes=45), timedelta(hours=12)
MOST = 2_000
"""Sessions at once; the one that was idle longest goes first."""


@dataclass
class Session:
    """Somebody at the console."""

    caller: Caller
    form_secret: str
    began: datetime
    seen: datetime
    said: list[tuple[str, str]] = field(default_factory=list)
    """Kind and text of messages for the next page."""

    def tell(self, kind: str, text: str) -> None:
        """A message for the next page; `kind` is done or refused."""
        self.said = [*self.said[-4:], (kind, text)]

    def told(self) -> list[tuple[str, str]]:
        """The messages, once."""
        said, self.said = self.said, []
        return said

    def brought_back(self, secret: str) -> bool:
        """Whether a form is one of this session's."""
        return hmac.compare_digest(secret.encode("utf-8", "surrogatepass"), self.form_secret.encode())


class Sessions:
    """All of them, by the hash of their cookie."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def begin(self, caller: Caller, now: datetime) -> str:
        """A new session; the cookie's value."""
        cookie = secrets.token_urlsafe(32)
        self._sessions[_hash(cookie)] = Session(caller, secrets.token_urlsafe(32), now, now)
        while len(self._sessions) > MOST:
            self._sessions.popitem(last=False)
        return cookie

    def find(self, cookie: str, now: datetime) -> Session | None:
        """The session of a cookie, if it has not ended and its key is still good, with that key's roles of now."""
        name = _hash(cookie)
        session = self._sessions.get(name)
        if session is None:
            return None
        caller = self._still(session.caller, now)
        if caller is None or now - session.seen > IDLE or now - session.began > LONGEST:
            del self._sessions[name]
            return None
        session.caller, session.seen = caller, now
        self._sessions.move_to_end(name)
        return session

    def end(self, cookie: str) -> None:
        """Forget it."""
        self._sessions.pop(_hash(cookie), None)

    def _still(self, caller: Caller, now: datetime) -> Caller | None:
        if self.keys.open or caller is LOCAL:
            return LOCAL if self.keys.open else None
        entry = self.keys.entries.get(caller.id)
        if entry is None or (entry.expires_at is not None and now >= entry.expires_at):
            return None
        return Caller(entry.id, entry.name, frozenset().union(*(IMPLIED[role] for role in entry.roles)))


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "surrogatepass")).hexdigest()
