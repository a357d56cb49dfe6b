"""Evidence of one operator as steps that add up to its bits in each dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stillwatch.model import Dimension

OVERLAP = "overlap"


@dataclass(frozen=True)
class Step:
    """One finding. `counted` is False where another signal of the same fact said more, or nothing could be said."""

    signal: str
    question: str
    outcome: str
    bits: float | None
    statistic: float | None
    null: float | None
    support: int
    counted: bool


@dataclass(frozen=True)
class Bar:
    """A dimension: its steps and their sum; None where nothing could be looked at."""

    dimension: str
    bits: float | None
    steps: list[Step]


def waterfall(rows: Sequence[Mapping[str, Any]], signals: Sequence[Mapping[str, Any]]) -> list[Bar]:
    """Steps by dimension from rows of the evidence table of one operator, the most bits first, overlap last."""
    about = {signal["name"]: signal for signal in signals}
    best: dict[tuple[str, str], str] = {}
    known = [row for row in rows if row["bits"] is not None]
    for row in sorted(known, key=lambda row: (-row["bits"], row["signal"])):
        fact = about.get(row["signal"], {}).get("fact", row["signal"])
        best.setdefault((row["dimension"], fact), row["signal"])
    counted = {(dimension, signal) for (dimension, _), signal in best.items()}
    bars = []
    for dimension in Dimension:
        steps = [_step(row, about, counted) for row in rows if row["dimension"] == dimension.value]
        steps.sort(
            key=lambda s: (s.signal == OVERLAP, not s.counted, -(s.bits if s.bits is not None else -99), s.signal)
        )
        total = [step.bits for step in steps if step.counted and step.bits is not None]
        bars.append(Bar(dimension.value, sum(total) if total else None, steps))
    return bars


def _step(row: Mapping[str, Any], about: Mapping[str, Mapping[str, Any]], counted: set[tuple[str, str]]) -> Step:
    signal = row["signal"]
    question = {
        OVERLAP: "What these findings say together, counted once",
        "one_hand": "Do the accounts share more than strangers do, even without their strongest link?",
        "as_one_customer": "Is its purpose unlike that of nearly all single customers?",
        "foreign_stream": "Did another operator's traffic come into this account?",
        "carries_stream": "Are some of this account's requests an accused operator's?",
        "streams_elsewhere": "How much does it send over accounts that are not its own?",
    }.get(signal, about.get(signal, {}).get("question", ""))
    return Step(
        signal, question, row["outcome"], row["bits"], row["statistic"], row["null"], row["support"] or 0,
        (row["dimension"], signal) in counted,
    )  # fmt: skip
