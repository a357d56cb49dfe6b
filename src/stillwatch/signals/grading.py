"""Grading: how much of the traffic uses the model as a judge of other answers.

A reward model in disguise: rubrics, scores, comparisons. Teachers grade too, hence the
matched groups.
"""

from __future__ import annotations

from collections.abc import Mapping

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Population
from stillwatch.signals.base import Field, Signal, exact


class Grading(Signal):
    """Mean confidence of the grading label."""

    name = "grading"
    dimension = Dimension.PURPOSE
    fact = "grading"
    question = "Is the model used as a judge or reward model?"
    statistic = "mean over members of the label grading"
    null = "matched groups"
    resolution = 0.02

    def fields(self) -> Mapping[str, Field]:
        """Sum of confidences, and events that have one."""
        return {
            "weight": Field(lambda t: exact(t.grading).sum()),
            "labelled": Field(lambda t: t.grading.count()),
        }

    def measure(self, population: Population, groups: Groups) -> Floats:
        """In [0, 1]; NaN without text."""
        return groups.share(population.total("grading.weight"), population.total("grading.labelled"))


SIGNAL = Grading()
