"""The table `evidence`: what every signal said of every operator, and what was weighed besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.judging import customers, hands
from stillwatch.judging.combine import OVERLAP, Finding
from stillwatch.judging.verdict import ORDER
from stillwatch.model import EVIDENCE, Dimension, Outcome
from stillwatch.population import Floats, Groups, Population
from stillwatch.signals import Signal

FOREIGN_STREAM = "foreign_stream"
OBSERVED_BITS = 3.0
"""Bits from which a finding counts as observed (p of about .003)."""


def evidence_table(
    names: Sequence[str],
    finding: Finding,
    signals: Sequence[Signal],
    population: Population,
    groups: Groups,
    extra: Sequence[pa.Table],
) -> pa.Table:
    """One row an operator and signal, a row `overlap` where facts said the same, and `extra` rows."""
    blocks = []
    operator_ids = pa.array(names, pa.string())
    for place, signal in enumerate(signals):
        available = np.isfinite(finding.bits[place])
        observed = available & (finding.bits[place] >= OBSERVED_BITS)
        outcome = np.where(observed, Outcome.OBSERVED, np.where(available, Outcome.NOT_OBSERVED, Outcome.NOT_AVAILABLE))
        support = np.where(available, np.nan_to_num(signal.support(population, groups)), 0)
        columns = (signal.name, signal.dimension.value, outcome, finding.bits[place], finding.statistic[place])
        blocks.append(_block(operator_ids, *columns, finding.null[place], support))
    for row, dimension in enumerate(ORDER):
        some = np.flatnonzero(np.abs(np.nan_to_num(finding.overlap[row])) > 1e-12)
        if len(some):
            nothing = np.full(len(some), np.nan)
            outcome = np.full(len(some), Outcome.OBSERVED.value)
            off = finding.overlap[row, some]
            blocks.append(
                _block(operator_ids.take(some), OVERLAP, dimension.value, outcome, off, nothing, nothing, 0 * off)
            )
    blocks += extra
    return pa.concat_tables(blocks).sort_by([("operator_id", "ascending"), ("dimension", "ascending")])


def one_hand(names: Sequence[str], groups: Groups, hand: Floats) -> pa.Table:
    """What linking says about the operators that it tested: their accounts share more than strangers do."""
    some = np.flatnonzero(np.isfinite(hand))
    worth = np.clip(hand[some], 0.0, hands.MOST)
    outcome = np.where(worth >= OBSERVED_BITS, Outcome.OBSERVED.value, Outcome.NOT_OBSERVED.value)
    events = groups.sum(np.ones(groups.members.shape[1]))[some]
    return _block(
        pa.array(names, pa.string()).take(pa.array(some)), hands.ONE_HAND, Dimension.SOURCE.value, outcome, worth,
        hand[some], np.zeros(len(some)), events,
    )  # fmt: skip


def foreign_streams(stolen: Mapping[str, Mapping[str, Any]]) -> pa.Table:
    """The finding that separates a victim from its operator; the statistic is the foreign share of its events."""
    rows = [
        {
            "operator_id": name,
            "signal": FOREIGN_STREAM,
            "dimension": Dimension.SOURCE.value,
            "outcome": Outcome.OBSERVED.value,
            "bits": row["bits"],
            "statistic": row["foreign_events"] / (row["foreign_events"] + row["own_events"]),
            "null": 0.0,
            "support": row["foreign_events"],
        }
        for name, row in stolen.items()
    ]
    return pa.Table.from_pylist(rows, schema=EVIDENCE)


def _block(
    operators: pa.Array,
    signal: str,
    dimension: str,
    outcome: np.ndarray[tuple[int], np.dtype[np.str_]],
    bits: Floats,
    statistic: Floats,
    null: Floats,
    support: Floats,
) -> pa.Table:
    """Rows of the evidence table; NaN becomes null."""
    n = len(operators)
    columns = [
        operators, pa.array([signal] * n, pa.string()), pa.array([dimension] * n, pa.string()),
        pa.array(outcome.astype(str).tolist(), pa.string()), pa.array(bits, from_pandas=True),
        pa.array(statistic, from_pandas=True), pa.array(np.array(null), from_pandas=True),
        pa.array(support.astype(np.int64)),
    ]  # fmt: skip
    return pa.table(columns, schema=EVIDENCE)


def unlike_customers(names: Sequence[str], groups: Groups, unlike: Floats) -> pa.Table:
    """Whether an operator's purpose is unlike that of single customers: a condition, so it is worth no bits.

    The statistic is the share of single customers whose use looks as much like a harvest.
    """
    some = np.flatnonzero(np.isfinite(unlike))
    outcome = np.where(unlike[some] <= customers.UNLIKE, Outcome.OBSERVED.value, Outcome.NOT_OBSERVED.value)
    events = groups.sum(np.ones(groups.members.shape[1]))[some]
    return _block(
        pa.array(names, pa.string()).take(pa.array(some)), customers.AS_ONE_CUSTOMER, Dimension.PURPOSE.value, outcome,
        np.full(len(some), np.nan), unlike[some], np.full(len(some), customers.UNLIKE), events,
    )  # fmt: skip
