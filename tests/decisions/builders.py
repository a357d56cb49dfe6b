"""Hand-made runs as a policy sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from stillwatch.decisions.actions import Certainty
from stillwatch.decisions.facts import AccountFacts, OperatorFacts, RunFacts
from stillwatch.engine.runfolder import RunFolder
from stillwatch.model import EVIDENCE, OPERATORS, SKETCHES, VERDICTS, Dimension, Outcome, Verdict

NOW = datetime(2026, 9, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HARVEST = Verdict.UNAUTHORISED_DISTILLATION


def operator(
    id: str,
    verdict: Verdict = HARVEST,
    *,
    accounts: int = 3,
    events: int = 100,
    fdr: float | None = 0.0004,
    bits: Mapping[Dimension, float | None] | None = None,
    outcomes: Mapping[Dimension, Outcome] | None = None,
) -> OperatorFacts:
    """An operator that is accused on everything unless told otherwise."""
    known = dict.fromkeys(Dimension, 10.0) | dict(bits or {})
    seen = {d: Outcome.NOT_AVAILABLE if b is None else Outcome.OBSERVED for d, b in known.items()}
    return OperatorFacts(id, verdict, fdr, accounts, events, known, seen | dict(outcomes or {}))


def member(id: str, of: OperatorFacts, certainty: Certainty = Certainty.PROVEN, bits: float = 20.0) -> AccountFacts:
    return AccountFacts(id, of, certainty, bits)


def facts(*members: AccountFacts, judged_at: datetime = NOW, merged: Mapping[str, str] | None = None) -> RunFacts:
    operators = {one.operator.operator_id: one.operator for one in members}
    return RunFacts(Path("run"), judged_at, operators, {one.account_id: one for one in members}, merged or {})


def event(account: str, second: float = 0, **columns: Any) -> dict[str, Any]:
    """A row of sketches; `second` counts from a whole day."""
    start = datetime(2026, 9, 1, tzinfo=UTC)
    return {"account_id": account, "time": start + timedelta(seconds=second), "model": "m-1", **columns}


def write_run(
    root: Path,
    members: Sequence[AccountFacts],
    events: Sequence[Mapping[str, Any]] = (),
    *,
    mode: str = "none",
    state: Mapping[str, Any] | None = None,
    finished: datetime = NOW,
) -> Path:
    """A finished run folder that says what `members` do."""
    run = RunFolder(root)
    run.begin()
    operators = list({one.operator.operator_id: one.operator for one in members}.values())
    rows = [
        {
            "account_id": one.account_id, "operator_id": one.operator.operator_id,
            "membership_bits": one.membership_bits, "proven": one.certainty is not Certainty.LINKED,
        }
        for one in members
    ]  # fmt: skip
    run.write("operators", pa.Table.from_pylist(rows, schema=OPERATORS))
    verdicts = [
        {
            "operator_id": o.operator_id,
            "verdict": o.verdict.value,
            "fdr": o.fdr,
            "accounts": o.accounts,
            "events": o.events,
        }
        | {f"bits_{d.value}": b for d, b in o.bits.items()}
        for o in operators
    ]
    run.write("verdicts", pa.Table.from_pylist(verdicts, schema=VERDICTS))
    evidence = [
        {"operator_id": o.operator_id, "signal": f"s-{d}", "dimension": d.value, "outcome": found.value, "bits": 1.0}
        for o in operators
        for d, found in o.outcomes.items()
    ]
    run.write("evidence", pa.Table.from_pylist(evidence, schema=EVIDENCE))
    numbered = [{"event_id": f"e-{n}", "source_id": 0, "source_row": n, **row} for n, row in enumerate(events, 1)]
    run.write("sketches", pa.Table.from_pylist(numbered, schema=SKETCHES))
    run.write_manifest({"finished_at": finished.isoformat(), "pseudonyms": {"mode": mode}, "state": state})
    return root
