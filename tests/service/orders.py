"""People's decisions, for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from stillwatch.decisions import Action, Casebook, Subject
from stillwatch.decisions.policy import default_text


def enforcing(folder: Path) -> Path:
    """The shipped policy, enforced."""
    path = folder / "policy.toml"
    path.write_text(default_text().replace('\nmode = "shadow"', '\nmode = "enforce"'), encoding="utf-8")
    return path


def blocked(casebook: Path, account: str) -> None:
    """Two people block an account."""
    now = datetime.now(UTC)
    with Casebook.open(casebook, now) as book:
        order = book.propose(Subject("account", account), Action.BLOCK, reason="a test", by="ann", at=now, days=1)
        if order.action is Action.BLOCK:
            book.approve(order.id, by="ben", at=now)
