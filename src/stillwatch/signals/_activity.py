"""Changes of activity from hour to hour: slow rhythm, shared by everybody, drops out of differences."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from stillwatch.population import Floats, Groups, Population, ratio


def hourly(population: Population) -> sp.csr_matrix:
    """Starts of conversations an account and hour, N x H, hours without a gap."""
    return population.keep("activity.hourly", _hourly)


def _hourly(population: Population) -> sp.csr_matrix:
    active, tokens = population.traits("active_hour")
    hours = tokens.astype(np.int64)
    first, last = (hours.min(), hours.max()) if len(hours) else (0, 0)
    place = sp.csr_matrix(
        (np.ones(len(hours)), (np.arange(len(hours)), hours - first)), shape=(len(hours), last - first + 1)
    )
    return (active @ place).tocsr()


def variance_ratio(population: Population, groups: Groups) -> Floats:
    """Variance of a group's hourly changes over the sum of its members' own, [G]: 1 under independence.

    Above 1 the members move together, below 1 they fill each other's gaps. NaN below 24 starts, and where no member's
    activity ever changes. A sum that never changes counts as one that did once: perfect balance has an answer, too.
    """
    starts = hourly(population)
    changes = population.keep("activity.changes", _changes)
    own = np.asarray(changes.multiply(changes).sum(axis=1)).ravel()
    pooled = (groups.members @ changes).tocsr()
    together = np.asarray(pooled.multiply(pooled).sum(axis=1)).ravel()
    count = groups.sum(np.asarray(starts.sum(axis=1), dtype=np.float64).ravel())
    return np.where(count >= 24, ratio(np.maximum(together, 1), groups.sum(own)), np.nan)


def _changes(population: Population) -> sp.csr_matrix:
    starts = hourly(population)
    return (starts[:, 1:] - starts[:, :-1]).tocsr()
