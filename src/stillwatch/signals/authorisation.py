"""Use against what was allowed: the registered quota, or else the quota of one customer.

A declared customer has one quota. Whoever holds many accounts and declares none of them to be the same customer has
as many quotas as accounts; the statistic counts how many.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Population
from stillwatch.signals.base import Signal


class AuthorisationQuota(Signal):
    """Pooled peak day over the registered daily quota, or else over one member's declared one."""

    name = "authorisation"
    dimension = Dimension.SCALE
    fact = "quota"
    question = "Is more used than was authorised?"
    statistic = "log2 of the pooled busiest day over the registered quota, or else over one member's largest quota"
    null = "single customers of the log"
    background = "customers"

    def measure(self, population: Population, groups: Groups) -> Floats:
        """log2(peak / quota); NaN where no quota is known or the registered one has no bound."""
        daily = np.asarray(groups.members @ population.daily("volume.events"))
        peak = daily.max(axis=1) if daily.size else np.zeros(len(groups))
        allowed = _registered(population, groups)
        quota = np.where(allowed > 0, allowed, _largest(population.numbers("quota_per_day"), groups))
        known = (quota > 0) & np.isfinite(quota) & (peak > 0)
        return np.log2(np.divide(peak, quota, out=np.full(len(groups), np.nan), where=known))


def _registered(population: Population, groups: Groups) -> Floats:
    """Daily quota of the members' authorisations, each counted once, [G]; 0 where there is none."""
    out = np.zeros(len(groups))
    by_id: dict[str, list[int]] = {}
    for row, authorisation in population.authorised.items():
        by_id.setdefault(authorisation.id, []).append(row)
    for rows in by_id.values():
        covered = np.zeros(len(population))
        covered[rows] = 1
        out[groups.sum(covered) > 0] += max(population.authorised[row].max_requests_per_day for row in rows)
    return out


def _largest(values: Floats, groups: Groups) -> Floats:
    """Largest value of a member, [G]; 0 where none has one."""
    out = np.zeros(len(groups))
    np.fmax.at(out, groups.group_of, values[groups.members.indices])
    return out


SIGNAL = AuthorisationQuota()
