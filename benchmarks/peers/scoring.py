"""The truth of a world in the order of an answer's accounts, and outcomes as rows of the results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.peers.tuning import Outcome, Truth
from benchmarks.peers.world import customers

from stillwatch.evaluate import evaluate
from stillwatch.evaluate.metrics import clopper_pearson
from stillwatch.evaluate.truth import read_truth

FIELDS = ("campaign", "hits", "honest", "false", "ari")


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
    )


def of_run(run: Path, world: Path) -> Outcome:
    """A run of Stillwatch as an outcome: the same counts of the same accounts."""
    found = evaluate(run, world)
    campaign = sum(each.accounts - each.absent for each in found.by_campaign)
    return Outcome(campaign, found.campaign_accused, found.honest_accounts, found.honest_accused, found.ari)


def together(found: Sequence[Outcome]) -> Outcome:
    """Several worlds as one: counts add, the index is averaged over the worlds that have one."""
    indices = [each.ari for each in found if each.ari is not None]
    return Outcome(
        campaign=sum(each.campaign for each in found),
        hits=sum(each.hits for each in found),
        honest=sum(each.honest for each in found),
        false=sum(each.false for each in found),
        ari=float(np.mean(indices)) if indices else None,
    )


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
