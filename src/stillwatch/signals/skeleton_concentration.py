"""Skeleton concentration: does the traffic come from few templates?

Honest pipelines do as well, hence the matched groups: what counts is concentration beyond accounts of the same
application and volume.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Population, ratio
from stillwatch.signals._simpson import simpson
from stillwatch.signals.base import Signal


class SkeletonConcentration(Signal):
    """Simpson's index of the first words of prompts."""

    name = "skeleton_concentration"
    dimension = Dimension.PURPOSE
    fact = "format"
    question = "Does the traffic come from few templates?"
    statistic = "log2 of Simpson's index of lead skeletons over the group's events"
    null = "matched groups"
    resolution = 0.5

    def measure(self, population: Population, groups: Groups) -> Floats:
        """log2 in about [-20, 0]; NaN without text."""
        events = groups.sum(population.total("coverage.texts"))
        index = simpson(population, groups, "lead_skeleton", events)
        floor = ratio(np.ones(len(groups)), np.maximum(events, 1))
        return np.where(events >= 10, np.log2(np.maximum(index, floor)), np.nan)


SIGNAL = SkeletonConcentration()
