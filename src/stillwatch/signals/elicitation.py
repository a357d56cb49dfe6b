"""Elicitation: how much of the traffic asks for material that only a training set needs.

Written-out reasoning and its disguises, cleaned traces, safe rewrites, tasks with solutions and tests. Tutors ask for
steps as well, so the label is a feature and the share is judged against matched groups.
"""

from __future__ import annotations

from collections.abc import Mapping

import ibis

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Population
from stillwatch.signals.base import Field, Signal, exact

PARTS = ("elicitation", "trace_cleaning", "safe_rewrite", "task_generation")


class Elicitation(Signal):
    """Mean confidence of the elicitation labels."""

    name = "elicitation"
    dimension = Dimension.PURPOSE
    fact = "elicitation"
    question = "Does it ask for reasoning, traces, rewrites or tasks?"
    statistic = (
        "mean over members of the largest of the labels elicitation, trace_cleaning, safe_rewrite, task_generation"
    )
    null = "matched groups"
    resolution = 0.02

    def fields(self) -> Mapping[str, Field]:
        """Sum of confidences, and events that have any."""
        return {
            "weight": Field(lambda t: exact(ibis.greatest(*(t[label].fill_null(0) for label in PARTS))).sum()),
            "labelled": Field(lambda t: ibis.coalesce(*(t[label] for label in PARTS)).count()),
        }

    def measure(self, population: Population, groups: Groups) -> Floats:
        """In [0, 1]; NaN without text."""
        return groups.share(population.total("elicitation.weight"), population.total("elicitation.labelled"))


SIGNAL = Elicitation()
