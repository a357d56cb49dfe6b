"""What streams add to a judgement: who carries an accused operator's requests, and how many it sends that way.

Whoever carries a stream keeps the verdict on its own traffic; the finding is worth no bits and says whose requests they
are. Streams of operators that nobody accuses are nobody's concern and are left to the table.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa

from stillwatch.judging.judge import Judgement
from stillwatch.model import EVIDENCE, VERDICTS, Dimension, Outcome, Verdict

CARRIES = "carries_stream"
"""Of an account that is not the operator's: statistic is the stream's share of its events."""
ELSEWHERE = "streams_elsewhere"
"""Of an accused operator: statistic is what it sends over others' accounts for each event of its own accounts."""
CARRIES_OF = "carries a stream of"
"""How the statement on who carries a stream begins; an operator's id follows."""
OWN_ACCOUNTS, ROBBED = "member", "victim"


def carried(judgement: Judgement, streams: pa.Table, operators: pa.Table) -> Judgement:
    """With rows `CARRIES` and `ELSEWHERE`, and the statement of those who carry; `streams` as model.STREAMS."""
    verdicts = {row["operator_id"]: row for row in judgement.verdicts.to_pylist()}
    accused = {name for name, row in verdicts.items() if row["verdict"] == Verdict.UNAUTHORISED_DISTILLATION}
    of = dict(zip(operators["account_id"].to_pylist(), operators["operator_id"].to_pylist(), strict=True))
    rows: list[dict[str, Any]] = []
    elsewhere: dict[str, int] = {}
    for stream in streams.to_pylist():
        operator, carrier = stream["operator_id"], of[stream["account_id"]]
        if stream["role"] == OWN_ACCOUNTS or operator not in accused or carrier in accused:
            continue
        elsewhere[operator] = elsewhere.get(operator, 0) + stream["events"]
        if stream["role"] != ROBBED:
            rows.append(_finding(carrier, CARRIES, Dimension.SOURCE, stream["share"], stream["events"]))
            verdicts[carrier]["innocent_explanation"] = statement(stream)
    for operator, events in sorted(elsewhere.items()):
        own = max(verdicts[operator]["events"], 1)
        rows.append(_finding(operator, ELSEWHERE, Dimension.SCALE, events / own, events))
    evidence = pa.concat_tables([judgement.evidence, pa.Table.from_pylist(rows, schema=EVIDENCE)])
    evidence = evidence.sort_by([("operator_id", "ascending"), ("dimension", "ascending")])
    return replace(
        judgement, evidence=evidence, verdicts=pa.Table.from_pylist(list(verdicts.values()), schema=VERDICTS)
    )


def statement(stream: dict[str, Any]) -> str:
    """What is said of an account that carries a stream, in place of an innocent explanation of its own traffic."""
    return (
        f"{CARRIES_OF} {stream['operator_id']}, {stream['events']} of its events ({stream['share']:.0%}) "
        f"since {stream['since']:%Y-%m-%d}; the verdict is on what else it sends"
    )


def _finding(operator: str, signal: str, dimension: Dimension, statistic: float, events: int) -> dict[str, Any]:
    """A row that counts for nothing and says how many events are concerned."""
    return {
        "operator_id": operator, "signal": signal, "dimension": dimension.value, "outcome": Outcome.OBSERVED.value,
        "bits": None, "statistic": statistic, "null": 0.0, "support": events,
    }  # fmt: skip
