"""Changes of activity from hour to hour: slow rhythm, shared by everybody, drops out of differences."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from stillwatch.population import Floats, Groups, Population, ratio
from stillwatch.signals._pooled import squares_of

LEAST = 0.01
"""Least square of a sum of changes."""


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
    """Square of the summed hourly changes over their number, each member's changes scaled to unit length, [G].

    1 under independence, above 1 where members move together, below 1 where they fill each other's gaps. Scaled, so
    that no heavy member speaks for the group. NaN below 24 starts and below two members whose activity changes. A sum
    that never changes counts as a small one: perfect balance has an answer, too.
    """
    changes = population.keep("activity.changes", _unit_changes)
    moving = (np.diff(changes.indptr) > 0).astype(np.float64)
    together = squares_of(population, groups, "activity.changes", changes)
    starts = groups.sum(population.keep("activity.starts", _starts))
    members = groups.sum(moving)
    # members that are never active in one hour have a ratio of 1, all of them: rounding must not rank them
    found = np.round(ratio(np.maximum(together, LEAST), members), 12)
    return np.where((starts >= 24) & (members >= 2), found, np.nan)


def _starts(population: Population) -> Floats:
    return np.asarray(hourly(population).sum(axis=1), dtype=np.float64).ravel()


def _unit_changes(population: Population) -> sp.csr_matrix:
    starts = hourly(population)
    changes = (starts[:, 1:] - starts[:, :-1]).tocsr()
    changes.eliminate_zeros()
    length = np.sqrt(np.asarray(changes.multiply(changes).sum(axis=1)).ravel())
    return (sp.diags(np.nan_to_num(ratio(np.ones(len(length)), length))) @ changes).tocsr()
