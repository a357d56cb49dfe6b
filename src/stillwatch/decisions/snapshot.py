"""All decisions at one moment: the named table `decisions`, and a snapshot for a server, which never changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.decisions.actions import Action, By, Decision
from stillwatch.decisions.decide import Decider
from stillwatch.decisions.docket import Docket
from stillwatch.decisions.facts import RunFacts
from stillwatch.decisions.policy import Policy
from stillwatch.engine.runfolder import atomic
from stillwatch.errors import RunError
from stillwatch.model import DECISIONS


@dataclass(frozen=True)
class Snapshot:
    """What holds for every account, as it was when this was made; a change makes a new one.

    Only decisions that say something are kept: for a million ordinary accounts there is their operator and no more.
    """

    mode: str
    """`shadow` or `enforce`."""
    killed: str
    """Why the kill switch is on; empty while it is off."""
    made_at: datetime
    judged_at: datetime
    """When the run that this rests on was finished."""
    said: Mapping[str, Decision]
    operator_of: Mapping[str, str]
    verdict_of: Mapping[str, str]
    """Of each operator."""
    joining: Mapping[str, Decision]
    """By operator: what holds for whoever joins it later."""

    def get(self, account_id: str, now: datetime) -> Decision:
        """The decision on an account at `now`, in constant time; what nobody knows is allowed, `by` default."""
        found = self.said.get(account_id)
        if found is not None:
            return found.at(now)
        operator = self.operator_of.get(account_id, "")
        return Decision(account_id, operator, self.verdict_of.get(operator, ""), "", Action.ALLOW, Action.ALLOW)

    def of_operator(self, operator_id: str, now: datetime) -> Decision | None:
        """What holds for whoever joins an operator; None if nothing does."""
        found = self.joining.get(operator_id)
        return None if found is None else found.at(now)

    def __len__(self) -> int:
        return len(self.operator_of)


def snapshot(facts: RunFacts, policy: Policy, docket: Docket, now: datetime) -> Snapshot:
    """The decisions on all accounts of a run, and on those that people decided on."""
    decider = Decider(facts, policy, docket, now)
    said = {}
    spoken = {id for id, account in facts.accounts.items() if not decider.silent(id, account.operator)}
    for id in spoken | decider.named:
        decision = decider.account(id)
        if decision.by is not By.DEFAULT or decision.reason or decision.proposed:
            said[id] = decision
    open_to = (id for id, operator in facts.operators.items() if not decider.silent("", operator))
    joining = {id: found for id in open_to if (found := decider.operator(id)) is not None}
    return Snapshot(
        mode=policy.mode,
        killed=docket.killed,
        made_at=now,
        judged_at=facts.judged_at,
        said=said,
        operator_of={id: account.operator.operator_id for id, account in facts.accounts.items()},
        verdict_of={id: operator.verdict.value for id, operator in facts.operators.items()},
        joining=joining,
    )


def decisions_table(facts: RunFacts, policy: Policy, docket: Docket, now: datetime) -> pa.Table:
    """model.DECISIONS: a row an account, by id, then a row for each operator that binds whoever joins it."""
    decider = Decider(facts, policy, docket, now)
    rows = [_row(decider.account(id)) for id in sorted({*facts.accounts, *decider.named})]
    rows += [_row(found) for id in sorted(facts.operators) if (found := decider.operator(id)) is not None]
    return pa.Table.from_pylist(rows, schema=DECISIONS)


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table of decisions to a file, whole or not at all; RunError if that fails."""
    try:
        with atomic(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error


def _row(decision: Decision) -> dict[str, object]:
    row = {name: getattr(decision, name) for name in DECISIONS.names}
    row["only"] = ",".join(decision.only)
    return {name: None if value == "" else value for name, value in row.items()}
