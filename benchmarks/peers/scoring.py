"""The truth of a world in the order of an answer's accounts, runs of Stillwatch, and outcomes as rows of results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from benchmarks.peers.tuning import Bools, Ints, Outcome, Truth
from benchmarks.peers.world import customers

from stillwatch.evaluate.metrics import clopper_pearson
from stillwatch.evaluate.truth import read_truth
from stillwatch.model import Verdict

FIELDS = ("campaign", "hits", "honest", "false", "whom")


def truth(world: Path, accounts: list[str]) -> Truth:
    """Of all accounts of a log; accounts that never sent anything are not there."""
    exact = read_truth(world).accounts
    operators = {name: k for k, name in enumerate(sorted({exact[account].operator_id for account in accounts}))}
    customer, registered = customers(world, accounts)
    return Truth(
        operator=np.array([operators[exact[account].operator_id] for account in accounts], np.int64),
        harvests=np.array([exact[account].harvests for account in accounts], np.bool_),
        customer=customer,
        registered=registered,
        label=tuple(exact[account].label for account in accounts),
    )


def of_run(run: Path, accounts: list[str]) -> tuple[Bools, Ints]:
    """Of a run of Stillwatch: who is accused, and the operator of each account of the log."""
    operators = pq.read_table(run / "operators.parquet", columns=["account_id", "operator_id"])
    operator_of = dict(zip(operators["account_id"].to_pylist(), operators["operator_id"].to_pylist(), strict=True))
    verdicts = pq.read_table(run / "verdicts.parquet", columns=["operator_id", "verdict"]).to_pylist()
    guilty = {row["operator_id"] for row in verdicts if row["verdict"] == Verdict.UNAUTHORISED_DISTILLATION}
    number = {name: k for k, name in enumerate(sorted(set(operator_of.values())))}
    of = [operator_of[account] for account in accounts]
    return np.array([name in guilty for name in of], np.bool_), np.array([number[name] for name in of], np.int64)


def row(found: Outcome) -> dict[str, Any]:
    """An outcome for the results, with the exact 95 % interval of honest accounts accused."""
    low, high = clopper_pearson(found.false, found.honest)
    return {
        **{name: getattr(found, name) for name in FIELDS},
        "recall": _rounded(found.recall), "precision": _rounded(found.precision), "ari": _rounded(found.ari),
        "interval": [round(low, 6), round(high, 6)],
    }  # fmt: skip


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
