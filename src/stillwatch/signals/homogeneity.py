"""Homogeneity: are the members as alike in volume as workers with one budget are?

Ordinary people's volumes spread over orders of magnitude; accounts run by one scheduler share a target.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Population, ratio
from stillwatch.signals.base import Signal


class Homogeneity(Signal):
    """Spread of log volume a member and active day."""

    name = "homogeneity"
    dimension = Dimension.SOURCE
    fact = "homogeneity"
    question = "Are the accounts used alike?"
    statistic = "minus the standard deviation over members of log2 events per active day"
    null = "matched groups"
    min_accounts = 5
    resolution = 0.1

    def measure(self, population: Population, groups: Groups) -> Floats:
        """At most 0."""
        days = (population.daily("volume.events") > 0).sum(axis=1).astype(np.float64)
        return -groups.sd(np.log2(ratio(population.total("volume.events"), days)))


SIGNAL = Homogeneity()
