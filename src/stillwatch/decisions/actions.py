"""What a gateway may be told to do, to which requests, and the decision on one account."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from stillwatch.model import Verdict


class Action(StrEnum):
    """From the mildest to the gravest."""

    ALLOW = "allow"
    MONITOR = "monitor"
    """Let through and look closer."""
    VERIFY = "verify"
    """Let through once the account has shown who it is."""
    THROTTLE = "throttle"
    """Let through up to a rate."""
    BLOCK = "block"

    @property
    def gravity(self) -> int:
        """0 for allow, 4 for block."""
        return list(Action).index(self)

    @property
    def restricts(self) -> bool:
        """Whether a customer feels it: verify, throttle and block."""
        return self.gravity >= Action.VERIFY.gravity


class Scope(StrEnum):
    """Which requests an action is for."""

    ACCOUNT = "account"
    OPERATOR = "operator"
    """All accounts of the operator, those that join it later too."""
    MODEL = "model"
    CAPABILITY = "capability"
    REGION = "region"

    @property
    def named(self) -> bool:
        """Whether the scope has to say which: models, capabilities, regions."""
        return self in {Scope.MODEL, Scope.CAPABILITY, Scope.REGION}


class Certainty(StrEnum):
    """How sure it is that an account belongs to its operator."""

    PROVEN = "proven"
    LINKED = "linked"
    """The group exists, but this member is not certain."""
    LONE = "lone"
    """An operator of one account: nothing had to be linked."""


class By(StrEnum):
    """What a decision comes from, the strongest last."""

    DEFAULT = "default"
    """No rule and no person said anything."""
    POLICY = "policy"
    ORDER = "order"
    ALLOW_LIST = "allow_list"
    KILL_SWITCH = "kill_switch"


PROTECTED = frozenset({Verdict.AUTHORISED_DISTILLATION, Verdict.COMPROMISED_ACCOUNT})
"""Registered use and victims: nothing that restricts them is enforced, whoever ordered it."""

_RATE = re.compile(r"([1-9][0-9]{0,8})/(second|minute|hour|day)")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in each stretch of time, of each account."""

    requests: int
    per: str

    @property
    def seconds(self) -> int:
        """Length of the stretch."""
        return _SECONDS[self.per]

    @classmethod
    def parse(cls, text: str) -> Rate:
        """From `10/minute`; ValueError on anything else."""
        found = _RATE.fullmatch(text)
        if found is None:
            raise ValueError("a rate is a whole number, a slash and second, minute, hour or day: 10/minute")
        return cls(int(found[1]), found[2])

    def __str__(self) -> str:
        return f"{self.requests}/{self.per}"


@dataclass(frozen=True, slots=True)
class Decision:
    """What is decided on one account (or, with an empty `account_id`, on whoever joins an operator)."""

    account_id: str
    operator_id: str
    verdict: str
    """Of the operator in the run; empty for an account that the run does not have."""
    certainty: str
    action: Action
    """To be enforced now. In shadow mode and under the kill switch: allow."""
    would: Action
    """What would be enforced if the mode were `enforce`."""
    proposed: Action | None = None
    """What waits for people to approve it: a block."""
    rate: str | None = None
    """Of a throttle, such as `10/minute`."""
    scope: Scope = Scope.ACCOUNT
    only: tuple[str, ...] = ()
    """Models, capabilities or regions; empty for scopes that need none."""
    by: By = By.DEFAULT
    rule: str = ""
    """Name of the policy's rule, or id of the order or of the entry in the allow list."""
    reason: str = ""
    evidence: str = ""
    """Link to the evidence."""
    expires_at: datetime | None = None

    def at(self, now: datetime) -> Decision:
        """The decision as it holds at `now`: what has expired allows, and says so."""
        if self.expires_at is None or now < self.expires_at or self.by is By.DEFAULT:
            return self  # what has expired is a default already
        reason = f"expired on {self.expires_at:%Y-%m-%d %H:%M} UTC: {self.reason}"
        return replace(
            self, action=Action.ALLOW, would=Action.ALLOW, proposed=None, rate=None, scope=Scope.ACCOUNT, only=(),
            by=By.DEFAULT, reason=reason,
        )  # fmt: skip
