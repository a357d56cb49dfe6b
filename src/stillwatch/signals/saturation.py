"""Saturation: are answers as long as the limit lets them be?

Training data is bought by the token, so the limit is set high and used up; customers want an answer and stop.
"""

from __future__ import annotations

from collections.abc import Mapping

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Population
from stillwatch.signals.base import Field, Signal


class Saturation(Signal):
    """Share of answers that end at the limit."""

    name = "saturation"
    dimension = Dimension.PURPOSE
    fact = "length"
    question = "Do answers run to their limit?"
    statistic = "mean over members of the share of answers with at least 98 % of max_tokens (of those with one)"
    null = "matched groups"
    needs = ("events.max_tokens", "events.output_tokens")

    def fields(self) -> Mapping[str, Field]:
        """Answers at the limit, and answers with one; a limit of 0 stands for none."""
        return {
            "full": Field(lambda t: ((t.output_tokens >= 0.98 * t.max_tokens) & (t.max_tokens > 0)).sum()),
            "limited": Field(lambda t: (t.output_tokens.notnull() & (t.max_tokens > 0)).sum()),
        }

    def measure(self, population: Population, groups: Groups) -> Floats:
        """In [0, 1]; NaN where no request set a limit."""
        return groups.share(population.total("saturation.full"), population.total("saturation.limited"))


SIGNAL = Saturation()
