"""Load balancing: members fill each other's gaps, as workers of one queue do.

The variance of the sum lies below the sum of the variances: negative dependence that strangers do not have.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Population
from stillwatch.signals._activity import variance_ratio
from stillwatch.signals.base import Signal


class LoadBalance(Signal):
    """Negative dependence of hourly activity."""

    name = "load_balance"
    dimension = Dimension.SOURCE
    fact = "coordination"
    question = "Do the accounts fill each other's gaps?"
    statistic = "minus log2 of the variance of summed hourly changes over its value under independence"
    null = "matched groups"
    min_accounts = 3
    resolution = 0.1

    def measure(self, population: Population, groups: Groups) -> Floats:
        """0 under independence, positive for workers of one queue."""
        return -np.log2(variance_ratio(population, groups))


SIGNAL = LoadBalance()
