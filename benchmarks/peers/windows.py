"""What the detectors of query distributions have in common: a score a window, held against windows of honest traffic.

A window is an account's requests. `null` says what a score is divided by, so that 1 is the published threshold, the
95th percentile: `pooled`, windows of as many requests drawn from all honest traffic together (as published, where
windows mix accounts); `accounts`, windows of single honest accounts of the reference; `none`, nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from benchmarks.peers.answer import Answer, scored
from benchmarks.peers.encoder import Floats, Queries, encoded

Statistic = Callable[[Floats], float]
LEVEL = 95.0
SMALLEST = 1e-9
"""A limit of 0 would divide by it."""
DRAWS = 200
SIZES = (15, 30, 60, 120)
"""Sizes of pooled windows; an account is held against the largest size that it fills."""


def against(world: Path, reference: Path, null: str, least: int, prepare: Callable[[Queries], Statistic]) -> Answer:
    """Scores of all accounts of at least `least` requests. prepare: fits on the reference, gives the statistic."""
    queries, honest = encoded(world, reference)
    statistic = prepare(honest)
    score = of_accounts(queries, statistic, least)
    if null == "accounts":
        score /= max(float(np.nanpercentile(of_accounts(honest, statistic, least), LEVEL)), SMALLEST)
    elif null == "pooled":
        sizes = np.diff(queries.start)
        limits = np.array([pooled_limit(honest, statistic, size) for size in SIZES if size >= least])
        fitting = np.searchsorted([size for size in SIZES if size >= least], sizes, side="right") - 1
        score /= limits[np.maximum(fitting, 0)]
    return scored(queries.accounts, score)


def of_accounts(queries: Queries, statistic: Statistic, least: int) -> Floats:
    """The statistic of each account, [accounts]; NaN below `least` requests."""
    sizes = np.diff(queries.start)
    return np.array([statistic(queries.of(k)) if sizes[k] >= least else np.nan for k in range(len(sizes))])


def pooled_limit(honest: Queries, statistic: Statistic, size: int) -> float:
    """95th percentile of the statistic over windows of `size` requests of anybody."""
    rng = np.random.default_rng(size)
    draws = [statistic(honest.vectors[rng.integers(0, len(honest.vectors), size)]) for _ in range(DRAWS)]
    return max(float(np.percentile(draws, LEVEL)), SMALLEST)
