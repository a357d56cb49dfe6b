"""What holds for each account now: the snapshot of the last look, and above it whom the fast path recognised.

Looking up is one dict and no lock: a change makes a new snapshot aside and puts it in the place of the old one at once.
Every change has a number; a gateway that keeps a copy asks for what changed since its own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from stillwatch.decisions import (
    Action,
    By,
    Casebook,
    Decision,
    Docket,
    Policy,
    RunFacts,
    Snapshot,
    read_facts,
    snapshot,
)
from stillwatch.decisions.actions import PROTECTED
from stillwatch.model import Verdict
from stillwatch.service import levels
from stillwatch.service.fast import Recognised
from stillwatch.service.levels import Levels

RULE = "recognised"
KEPT = 1024
"""Changes remembered for long polls; who is further behind starts anew."""
MOST = 100_000
"""Accounts recognised at most at any time, and named at most in the changes remembered."""


def now() -> datetime:
    """The service's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Seen:
    """An account that the fast path recognised, and until when that counts."""

    found: Recognised
    until: datetime


class Decisions:
    """All decisions of a service; used from its event loop alone, but for what says otherwise."""

    def __init__(
        self, policy: Policy, book: Casebook, step: Literal["monitor", "verify"] = "monitor", hours: float = 24.0
    ) -> None:
        self.policy, self.book = policy, book
        self.step, self.hours = Action(step), hours
        self.facts: RunFacts | None = None
        self.run: Path | None = None
        self.levels = Levels()
        """How much of the stated level was spent up to that run, and who is pending."""
        self._docket: object = book.docket
        """The docket that the snapshot was made of."""
        self.snapshot = nothing(policy, book)
        self.seen: dict[str, Seen] = {}
        self.number = int(now().timestamp() * 1000)
        """Of the newest change; begins above the numbers of an earlier process, so that its copies start anew."""
        self.changes: deque[tuple[int, frozenset[str] | None]] = deque()
        """(number, accounts that changed; None for possibly all)."""
        self.named = 0
        """Accounts in them, which are what they weigh."""
        self.changed = asyncio.Event()

    def get(self, account: str, at: datetime) -> Decision:
        """The decision on an account, by the id that the run has."""
        said = self.snapshot.get(account, at)
        seen = self.seen.get(account)
        if seen is None or said.by is not By.DEFAULT or said.verdict in PROTECTED or at >= seen.until:
            return said
        return self._recognised(said, seen)

    def _recognised(self, said: Decision, seen: Seen) -> Decision:
        found = seen.found
        joining = self.snapshot.joining.get(found.operator_id)
        if joining is not None and joining.by is By.ALLOW_LIST:
            return said
        reason = (
            f"its requests share {', '.join(found.shared)} with an accused operator: {found.bits:.1f} bits, "
            f"{found.threshold:.1f} are asked for"
        )
        enforced = self.snapshot.mode == "enforce" and not self.snapshot.killed
        return replace(
            said, operator_id=found.operator_id, certainty="linked", action=self.step if enforced else Action.ALLOW,
            would=self.step, by=By.POLICY, rule=RULE, reason=reason, expires_at=seen.until,
            evidence=self.policy.evidence.replace("{operator_id}", found.operator_id).replace("{account_id}", ""),
        )  # fmt: skip

    # changes

    def recognised(self, found: Iterable[Recognised], at: datetime) -> int:
        """Take in what the fast path found; how many accounts are new."""
        until = at + timedelta(hours=self.hours)
        new = {one.account_id: Seen(one, until) for one in found}
        fresh = len(new.keys() - self.seen.keys())
        self.seen |= new
        while len(self.seen) > MOST:
            self.seen.pop(next(iter(self.seen)))
        if new:
            self._note(frozenset(new))
        return fresh

    def read(self, run: Path) -> RunFacts:
        """What a finished run says (slow; from any thread). RunError if it cannot be read."""
        return stood_by(read_facts(run), levels.read(run).pending)

    def stale(self) -> bool:
        """Whether the casebook says other things than the snapshot, as another process may have changed it (slow)."""
        if self.book.docket.lapsed(now()):
            self.book.sweep(now())
        return self.book.refresh() or self.book.docket is not self._docket

    def made(self, facts: RunFacts | None = None) -> Snapshot:
        """A new snapshot of a run, by default of the one that is known (slow; from any thread)."""
        facts = facts or self.facts
        if facts is None:
            return nothing(self.policy, self.book)
        return snapshot(facts, self.policy, self.book.docket, now())

    def take(
        self, made: Snapshot, run: Path | None = None, facts: RunFacts | None = None, docket: Docket | None = None
    ) -> None:
        """Put a new snapshot, and with it perhaps a new run, in the place of the old one; `docket` is what it is of."""
        old, self.snapshot = self.snapshot, made
        self._docket = docket or self.book.docket
        if run is not None:
            self.run, self.facts = run, facts
            self.levels = levels.read(run)
            self.seen = {name: seen for name, seen in self.seen.items() if _accused(facts, seen.found.operator_id)}
        if (old.mode, old.killed) != (made.mode, made.killed):
            self._note(None)
        else:
            names = old.said.keys() | made.said.keys()
            differ = frozenset(name for name in names if not _same(old.said.get(name), made.said.get(name)))
            if differ:
                self._note(differ)

    def _note(self, accounts: frozenset[str] | None) -> None:
        self.number += 1
        self.changes.append((self.number, accounts))
        self.named += len(accounts or ())
        while len(self.changes) > KEPT or self.named > MOST:
            self.named -= len(self.changes.popleft()[1] or ())
        self.changed.set()
        self.changed = asyncio.Event()

    # what a copy needs

    def since(self, number: int) -> frozenset[str] | None:
        """Accounts whose decision may have changed since; None if that is not known any more."""
        if number == self.number:
            return frozenset()
        if number > self.number or not self.changes or number < self.changes[0][0] - 1:
            return None
        later = [accounts for at, accounts in self.changes if at > number]
        if any(accounts is None for accounts in later):
            return None
        return frozenset().union(*(accounts for accounts in later if accounts is not None))

    def all(self) -> set[str]:
        """Accounts about which anything is said."""
        return {*self.snapshot.said, *self.seen}

    def unchanged(self, number: int, accounts: frozenset[str] | None = None) -> bool:
        """Whether surely nothing (about these accounts) changed since `number`."""
        changed = self.since(number)
        return changed is not None and not (changed if accounts is None else changed & accounts)

    async def wait(self, number: int, seconds: float, accounts: frozenset[str] | None = None) -> None:
        """Until there is something newer than `number` (about these accounts), or the time is over."""
        try:
            async with asyncio.timeout(seconds):
                while self.unchanged(number, accounts):
                    await self.changed.wait()
        except TimeoutError:
            return


def _accused(facts: RunFacts | None, operator: str) -> bool:
    """Whether a run accuses an operator, or the one that took its members."""
    found = facts.operators.get(facts.merged.get(operator, operator)) if facts else None
    return found is not None and found.verdict is Verdict.UNAUTHORISED_DISTILLATION


def stood_by(facts: RunFacts, pending: Collection[str]) -> RunFacts:
    """The run as the service stands by it: who is only pending is inconclusive, for rules and for the console."""
    found = {name: facts.operators[name] for name in pending if name in facts.operators}
    if not found:
        return facts
    milder = {name: replace(one, verdict=Verdict.INCONCLUSIVE) for name, one in found.items()}
    accounts = {
        name: replace(one, operator=milder[one.operator.operator_id]) if one.operator.operator_id in milder else one
        for name, one in facts.accounts.items()
    }
    return replace(facts, operators={**facts.operators, **milder}, accounts=accounts)


def nothing(policy: Policy, book: Casebook) -> Snapshot:
    """Before the first look: what people decided holds already."""
    at = now()
    empty = RunFacts(Path(), at, {}, {}, {})
    return snapshot(empty, policy, book.docket, at)


def _same(a: Decision | None, b: Decision | None) -> bool:
    """Whether a gateway would do the same: a run that only renews a decision is no change."""
    if a is None or b is None:
        return a is b
    return replace(a, expires_at=None, reason="", evidence="") == replace(b, expires_at=None, reason="", evidence="")


def as_dict(decision: Decision, account: str, mode: str) -> dict[str, Any]:
    """For an answer, about the account as the caller calls it."""
    return {
        "account": account, "action": decision.action.value, "would": decision.would.value,
        "proposed": decision.proposed.value if decision.proposed else None, "rate": decision.rate,
        "scope": decision.scope.value, "only": list(decision.only), "by": decision.by.value, "rule": decision.rule,
        "reason": decision.reason, "evidence": decision.evidence, "operator": decision.operator_id,
        "verdict": decision.verdict, "certainty": decision.certainty,
        "expires_at": decision.expires_at.isoformat() if decision.expires_at else None, "mode": mode,
    }  # fmt: skip
