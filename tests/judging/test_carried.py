"""What a stream adds to a judgement: nobody is accused for carrying one; the operator's row says how much it sends."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from stillwatch.judging.carried import CARRIES, ELSEWHERE, carried
from stillwatch.judging.judge import Judgement
from stillwatch.model import EVIDENCE, OPERATORS, STREAMS, VERDICTS

WHEN = datetime(2026, 3, 4, tzinfo=UTC)
VERDICT_OF = {
    "op_ring": "unauthorised_distillation", "op_class": "ordinary", "op_seller": "heavy_use",
    "op_owner": "compromised_account",
}  # fmt: skip


def stream(account: str, operator: str, role: str, events: int = 30) -> dict[str, Any]:
    return {
        "account_id": account, "operator_id": operator, "role": role, "events": events, "share": 0.25, "marked": 20,
        "since": WHEN, "until": WHEN, "kinds": "content,end_user",
    }  # fmt: skip


def judged(*streams: dict[str, Any]) -> Judgement:
    verdicts = [
        {"operator_id": o, "verdict": v, "accounts": 1, "events": 100, "innocent_explanation": "as it was"}
        for o, v in VERDICT_OF.items()
    ]
    members = {"ring0": "op_ring", "ring1": "op_ring", "pupil": "op_class", "seller": "op_seller", "owner": "op_owner"}
    operators = [{"account_id": a, "operator_id": o} for a, o in members.items()]
    before = Judgement(EVIDENCE.empty_table(), pa.Table.from_pylist(verdicts, schema=VERDICTS), {}, {})
    return carried(
        before, pa.Table.from_pylist(list(streams), schema=STREAMS), pa.Table.from_pylist(operators, schema=OPERATORS)
    )


def said(judgement: Judgement) -> dict[str, str]:
    return dict(zip(*(judgement.verdicts[c].to_pylist() for c in ("operator_id", "innocent_explanation")), strict=True))


def test_a_reseller_keeps_its_verdict_and_the_ring_s_row_counts_what_went_elsewhere() -> None:
    found = judged(stream("seller", "op_ring", "reseller"), stream("owner", "op_ring", "victim", 20))
    verdicts = dict(zip(*(found.verdicts[c].to_pylist() for c in ("operator_id", "verdict")), strict=True))
    assert verdicts == VERDICT_OF
    assert said(found)["op_seller"] == (
        "carries a stream of op_ring, 30 of its events (25%) since 2026-03-04; the verdict is on what else it sends"
    )
    assert said(found)["op_owner"] == "as it was"
    rows = [
        (r["operator_id"], r["signal"], r["bits"], r["statistic"], r["support"]) for r in found.evidence.to_pylist()
    ]
    assert rows == [("op_ring", ELSEWHERE, None, 0.5, 50), ("op_seller", CARRIES, None, 0.25, 30)]


@pytest.mark.parametrize(
    ("why", "row"),
    [
        ("nobody accuses the operator", stream("seller", "op_class", "reseller")),
        ("the operator's own account", stream("ring0", "op_ring", "member")),
        ("an account of the accused itself", stream("ring1", "op_ring", "mixed")),
    ],
)
def test_other_streams_add_nothing(why: str, row: dict[str, Any]) -> None:
    found = judged(row)
    assert len(found.evidence) == 0, why
    assert set(said(found).values()) == {"as it was"}, why
