"""The two families of operators that are tested, each with its own null.

Operators of several accounts are compared with matched groups of as many accounts; lone accounts with the accounts of
their stratum. The families are kept apart so that ten thousand lone accounts do not dilute a hundred operators.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stillwatch.judging.combine import Finding, combine
from stillwatch.judging.matched import Strata, in_parts, table
from stillwatch.population import Floats, Groups, Ints, Population
from stillwatch.progress import SILENT, Progress
from stillwatch.signals import Signal

GROUPS_AT_ONCE = 8_000
MEMBERSHIPS_AT_ONCE = 2_000_000
HELD_AT_ONCE = 6_000_000
"""Memberships of matched groups whose statistics are computed at once: a few arrays of eight bytes for each."""
PEERS = 400
"""Accounts of a stratum that make a lone account's null."""
LEAST_PEERS = 60


def several(
    population: Population,
    operators: Sequence[Ints],
    signals: Sequence[Signal],
    strata: Strata,
    *,
    matched_groups: int,
    seed: int,
    stage: int = 1,
    progress: Progress = SILENT,
) -> Finding:
    """Findings on operators of two or more accounts, columns in the order of `operators`.

    Another `stage` draws other groups.
    """
    rng = np.random.default_rng([seed, stage])
    customers = _customers(population, signals, rng)
    parts = []
    for chunk in _chunks([len(rows) for rows in operators], matched_groups):
        here = operators[chunk.start : chunk.stop]
        drawn = [strata.draw(rows, matched_groups, rng) for rows in here]
        mine = Groups.of(here, len(population))
        # one large operator's matched groups alone may be more memberships than fit
        pools = in_parts(drawn, len(population), HELD_AT_ONCE)
        found = np.concatenate([_matched(population, pool, signals) for pool in pools], axis=1)
        observed = np.stack([signal.statistics(population, mine) for signal in signals])
        nulls = [
            customers[signal.name]
            if signal.background == "customers"
            else table(found[place], len(here), matched_groups)
            for place, signal in enumerate(signals)
        ]
        parts.append(combine(observed, nulls, signals))
        progress.advance(len(here))
    return join(parts, len(signals))


def _matched(population: Population, pool: Groups, signals: Sequence[Signal]) -> Floats:
    """Statistics of matched groups, [signals, groups]; not of those that are compared with single customers."""
    none = np.full(len(pool), np.nan)
    return np.stack([none if s.background == "customers" else s.statistics(population, pool) for s in signals])


def lone(population: Population, rows: Ints, signals: Sequence[Signal], strata: Strata, *, seed: int) -> Finding:
    """Findings on accounts that stand alone, columns in the order of `rows`."""
    rng = np.random.default_rng([seed, 2])
    customers = _customers(population, signals, rng)
    singles = np.stack([signal.statistics(population, Groups.singles(len(population))) for signal in signals])
    level, key = strata.peers(LEAST_PEERS)
    order, parts = [], []
    for at in sorted(set(zip(level[rows].tolist(), key[rows].tolist(), strict=True))):
        here = rows[(level[rows] == at[0]) & (key[rows] == at[1])]
        peers = strata.pool(*at)
        peers = peers if len(peers) <= PEERS else np.sort(rng.choice(peers, PEERS, replace=False))
        nulls = [
            customers[signal.name] if signal.background == "customers" else singles[place, peers][None, :]
            for place, signal in enumerate(signals)
        ]
        parts.append(combine(singles[:, here], nulls, signals))
        order.append(here)
    found = join(parts, len(signals))
    if not order:
        return found
    place = np.concatenate(order)
    ascending = np.argsort(place)
    return reorder(found, ascending[np.searchsorted(place[ascending], rows)])


def _customers(population: Population, signals: Sequence[Signal], rng: np.random.Generator) -> dict[str, Floats]:
    """Statistics of a sample of single accounts, [1, B], for signals whose null is the single customer."""
    size = len(population)
    chosen = np.sort(rng.choice(size, min(size, 4 * PEERS), replace=False))
    groups = Groups.of([np.array([row]) for row in chosen], size)
    return {
        signal.name: signal.statistics(population, groups)[None, :]
        for signal in signals
        if signal.background == "customers"
    }


def _chunks(sizes: Sequence[int], groups: int) -> list[range]:
    """Cuts of the operators such that a chunk's matched groups fit into memory."""
    out, start, memberships = [], 0, 0
    for place, size in enumerate(sizes):
        full = (place - start + 1) * groups > GROUPS_AT_ONCE or memberships + size * groups > MEMBERSHIPS_AT_ONCE
        if full and place > start:
            out.append(range(start, place))
            start, memberships = place, 0
        memberships += size * groups
    if sizes:
        out.append(range(start, len(sizes)))
    return out


def join(parts: Sequence[Finding], signals: int) -> Finding:
    """Findings side by side."""
    if not parts:
        none = np.empty((signals, 0))
        return Finding(none, none, none, np.empty((4, 0)), np.empty((4, 0)), np.empty((4, 0)))
    names = ("statistic", "null", "bits", "dimension_p", "dimension_bits", "overlap")
    return Finding(*(np.concatenate([getattr(part, name) for part in parts], axis=1) for name in names))


def reorder(finding: Finding, order: Ints) -> Finding:
    """Columns in another order."""
    names = ("statistic", "null", "bits", "dimension_p", "dimension_bits", "overlap")
    return Finding(*(getattr(finding, name)[:, order] for name in names))


def replace_columns(finding: Finding, at: Ints, by: Finding) -> Finding:
    """The finding with its columns `at` taken from `by`."""
    out = []
    for name in ("statistic", "null", "bits", "dimension_p", "dimension_bits", "overlap"):
        values = getattr(finding, name).copy()
        values[:, at] = getattr(by, name)
        out.append(values)
    return Finding(*out)
