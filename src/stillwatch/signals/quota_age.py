"""Quota and age against use: new accounts that run at their full quota from the start.

Customers grow into a quota; accounts bought for a harvest are used up to it at once.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Population, ratio
from stillwatch.signals.base import Signal

FULL = 0.8
"""Share of the daily quota from which a day counts as full."""
YOUNG = np.timedelta64(30, "D")


class QuotaAge(Signal):
    """Share of a young account's active days that are near its quota."""

    name = "quota_age"
    dimension = Dimension.SCALE
    fact = "quota"
    question = "Do new accounts run at full quota at once?"
    statistic = "share of active days in an account's first 30 days with at least 80 % of its quota used"
    null = "matched groups"
    needs = ("accounts.quota_per_day", "accounts.created_at")

    def measure(self, population: Population, groups: Groups) -> Floats:
        """Full young days over young days, pooled; NaN where no member was young."""
        quota = np.asarray(population.numbers("quota_per_day"))
        created = population.instants("created_at").astype("datetime64[D]")
        daily = population.daily("volume.events")
        age = population.days[None, :] - created[:, None]
        young = (age < YOUNG) & (daily > 0) & (quota > 0)[:, None]
        full = young & (daily >= FULL * np.nan_to_num(quota, nan=np.inf)[:, None])
        return ratio(groups.sum(full.sum(axis=1)), groups.sum(young.sum(axis=1)))


SIGNAL = QuotaAge()
