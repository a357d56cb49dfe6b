"""Volume: how much one hand uses, against what single customers of this log use.

Scale alone is never guilt; it bounds what is at stake. Twenty-six requests an account and day are nothing, three
thousand such accounts in one hand are more than any customer.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Population
from stillwatch.signals.base import Field, Signal


class Volume(Signal):
    """Pooled events a day."""

    name = "volume"
    dimension = Dimension.SCALE
    fact = "volume"
    question = "Does one hand use more than customers do?"
    statistic = "log10 of pooled events per day of the log"
    null = "single customers of the log"
    background = "customers"

    def fields(self) -> Mapping[str, Field]:
        """Counts that many other signals divide by are kept here."""
        return {
            "events": Field(lambda t: t.count()),
            "input_tokens": Field(lambda t: t.input_tokens.sum()),
            "output_tokens": Field(lambda t: t.output_tokens.sum()),
            "first_seen": Field(lambda t: t.time.truncate("s").epoch_seconds().min(), "min"),
            "last_seen": Field(lambda t: t.time.truncate("s").epoch_seconds().max(), "max"),
        }

    def measure(self, population: Population, groups: Groups) -> Floats:
        """log10(events / days)."""
        pooled = groups.sum(population.total("volume.events"))
        return np.log10(np.maximum(pooled, 1) / max(len(population.days), 1))


SIGNAL = Volume()
