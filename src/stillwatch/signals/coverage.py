"""Coverage: many different tasks in few formats.

A training set wants breadth of content in a form that can be parsed. People's own requests vary in both; a pipeline
repeats its inputs' kind.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Population
from stillwatch.signals._pooled import distinct
from stillwatch.signals._simpson import simpson
from stillwatch.signals.base import Field, Signal

SAMPLE = 4
"""`item_sample` keeps one item in four, by the item's hash."""


class Coverage(Signal):
    """Distinct tasks a format."""

    name = "coverage"
    dimension = Dimension.PURPOSE
    fact = "coverage"
    question = "Are very many tasks asked in very few forms?"
    statistic = "log2 of distinct items over the effective number of lead skeletons"
    null = "matched groups"
    resolution = 0.5

    def fields(self) -> Mapping[str, Field]:
        """Events whose text was seen."""
        return {"texts": Field(lambda t: t.item.count())}

    def measure(self, population: Population, groups: Groups) -> Floats:
        """0 when every task has a form of its own; NaN below 40 texts."""
        texts = groups.sum(population.total("coverage.texts"))
        tasks = SAMPLE * distinct(population, groups, "item_sample")
        index = simpson(population, groups, "lead_skeleton", texts)
        forms = 1 / np.maximum(index, 1 / np.maximum(texts, 1))
        return np.where(texts >= 40, np.log2(np.maximum(tasks, 1)) - np.log2(forms), np.nan)


SIGNAL = Coverage()
