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
    """Pooled peak day over the authorised daily quota."""

    name = "authorisation"
    dimension = Dimension.SCALE
    fact = "quota"
    question = "Is more used than was authorised?"
    statistic = "log2 of the pooled busiest day over the registered quota, or over one member's largest quota"
    null = "single customers of the log"
    background = "customers"

    def measure(self, population: Population, groups: Groups) -> Floats:
        """log2(peak / quota); NaN where no quota is known."""
        daily = np.asarray(groups.members @ population.daily("volume.events"))
        peak = daily.max(axis=1) if daily.size else np.zeros(len(groups))
        declared = np.nan_to_num(np.asarray(population.numbers("quota_per_day")))
        registered = np.zeros(len(population))
        for row, authorisation in population.authorised.items():
            registered[row] = authorisation.max_requests_per_day
        largest = np.zeros(len(groups))
        np.maximum.at(largest, groups.group_of, np.maximum(declared, registered)[groups.members.indices])
        known = (largest > 0) & (peak > 0)
        return np.log2(np.divide(peak, largest, out=np.full(len(groups), np.nan), where=known))


SIGNAL = AuthorisationQuota()
