"""Under its null the p-value of every signal is uniform: strangers are called guilty as often as stated, no more."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from functools import cache

import numpy as np
import pytest
from scipy.stats import binom, kstest

from stillwatch.judging.calibrate import tail_p
from stillwatch.judging.matched import Strata, groups_of, table
from stillwatch.population import Groups, Population
from stillwatch.signals import Signal, all_signals
from tests.signals import random_world
from tests.signals.builders import START, Row, population

WORLDS = 4
ACCOUNTS = 320
SIZE = 8
MATCHED = 99


@cache
def strangers(seed: int) -> Population:
    """Accounts drawn one by one, with everything declared and everything asked about; nobody knows anybody."""
    rng = random.Random(1000 + seed)
    rows: list[Row] = []
    accounts: list[Row] = []
    for number in range(ACCOUNTS):
        name = f"a{number:03d}"
        mine = random_world._events(rng, name)
        rows += mine
        accounts.append(
            {**random_world._account(rng, name), "account_id": name, "quota_per_day": rng.choice([3, 10, 60])}
        )
    seen = {row["account_id"] for row in rows}
    releases: list[tuple[str, datetime]] = [("new|er", START + timedelta(days=1, hours=5))]
    return population(
        rows, accounts=[a for a in accounts if a["account_id"] in seen], ids=sorted(seen), releases=releases
    )


@cache
def groups(seed: int, matched: bool) -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
    """Disjoint random groups, and the stand-ins of each: matched as in judging, or anybody outside the group."""
    of = strangers(seed)
    rng = np.random.default_rng(seed)
    strata = Strata.of(of, np.ones(len(of), dtype=bool))
    order = rng.permutation(len(of))
    drawn = [np.sort(order[k : k + SIZE]) for k in range(0, len(of) - SIZE, SIZE)]
    if matched:
        return drawn, [strata.draw(rows, MATCHED, rng) for rows in drawn]
    others = [np.setdiff1d(np.arange(len(of)), rows) for rows in drawn]
    return drawn, [[rng.choice(left, SIZE, replace=False) for _ in range(MATCHED)] for left in others]


@cache
def compared(signal: Signal, matched: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Statistics of all groups [G] and of what each is compared with [G, B]."""
    observed, nulls = [], []
    for seed in range(WORLDS):
        of = strangers(seed)
        drawn, stand_ins = groups(seed, matched)
        if signal.background == "customers":
            # its null is the single customer, so a single customer is what it is asked about
            singles = signal.statistics(of, Groups.singles(len(of)))
            order = np.random.default_rng(seed).permutation(len(of))
            asked, others = order[: len(drawn)], order[len(drawn) : len(drawn) + MATCHED]
            observed.append(singles[asked])
            nulls.append(np.broadcast_to(singles[others], (len(asked), MATCHED)))
            continue
        observed.append(signal.statistics(of, Groups.of(drawn, len(of))))
        nulls.append(table(signal.statistics(of, groups_of(stand_ins, len(of))), len(drawn), MATCHED))
    return np.concatenate(observed), np.concatenate(nulls)


NAMES = [signal.name for signal in all_signals()]


def of_name(name: str) -> Signal:
    return next(signal for signal in all_signals() if signal.name == name)


@pytest.mark.parametrize("name", NAMES)
def test_ranks_among_groups_of_strangers_are_uniform(name: str) -> None:
    """Ties are broken by a fixed random number, so that the law is continuous.

    Groups are drawn of anybody here: in a log this small the largest customers have few like them, and matched groups
    vary a little less in volume than they should, on the safe side.
    """
    observed, null = compared(of_name(name), matched=False)
    known = np.isfinite(observed) & (np.isfinite(null).sum(axis=1) >= 19)
    if known.sum() < 40:
        pytest.skip(f"{name} needs more than these worlds have")
    x, filled = observed[known, None], np.where(np.isfinite(null[known]), null[known], np.nan)
    rng = np.random.default_rng(5)
    above, equal = (filled > x).sum(axis=1), (filled == x).sum(axis=1)
    size = np.isfinite(filled).sum(axis=1)
    p = (above + rng.random(len(above)) * (equal + 1)) / (size + 1)
    assert kstest(p, "uniform").pvalue > 1e-3, name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("level", [0.05, 0.1, 0.25])
def test_strangers_stand_out_no_more_often_than_stated(name: str, level: float) -> None:
    signal = of_name(name)
    observed, null = compared(signal)
    p = tail_p(observed, null, signal.resolution)
    p = p[np.isfinite(p)]
    if len(p) < 40:
        pytest.skip(f"{name} needs more than these worlds have")
    # seventy-odd tests in this file: a single one may fail once in ten thousand times
    assert (p <= level).sum() <= binom.isf(1e-4, len(p), level)


def test_most_signals_were_tested() -> None:
    tested = [name for name in NAMES if (np.isfinite(compared(of_name(name))[0])).sum() >= 40]
    assert len(tested) >= len(NAMES) - 2, sorted(set(NAMES) - set(tested))
