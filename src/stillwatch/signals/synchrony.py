"""Synchrony: members start and stop together, as clients of one scheduler do.

Top-of-hour jobs and classes are synchronous as well; they are in the matched groups of the same application.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Population
from stillwatch.signals._activity import variance_ratio
from stillwatch.signals.base import Signal


class Synchrony(Signal):
    """Positive dependence of hourly activity."""

    name = "synchrony"
    dimension = Dimension.SOURCE
    fact = "coordination"
    question = "Do the accounts start and stop together?"
    statistic = "log2 of the variance of summed hourly changes over its value under independence"
    null = "matched groups"
    min_accounts = 3
    resolution = 0.1

    def measure(self, population: Population, groups: Groups) -> Floats:
        """0 under independence, up to log2 n in lockstep."""
        return np.log2(variance_ratio(population, groups))


SIGNAL = Synchrony()
