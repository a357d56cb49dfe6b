"""Repeated sampling: the same prompt asked again and again, or for several choices at once.

Rejection sampling and preference data need many answers to one prompt, possibly through different accounts.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Population, ratio
from stillwatch.signals._pooled import distinct
from stillwatch.signals.base import Field, Signal


class RepeatedSampling(Signal):
    """Share of answers that are further answers to a prompt already asked."""

    name = "repeated_sampling"
    dimension = Dimension.PURPOSE
    fact = "sampling"
    question = "Is the same prompt sampled many times?"
    statistic = "share of answers beyond the first to one item (items sampled by hash), plus extra choices a request"
    null = "matched groups"

    def fields(self) -> Mapping[str, Field]:
        """Choices beyond one, and requests that say how many they want."""
        return {
            "extra_choices": Field(lambda t: (t.choices - 1).clip(lower=0, upper=128).sum()),
            "chosen": Field(lambda t: t.choices.count()),
        }

    def measure(self, population: Population, groups: Groups) -> Floats:
        """At least 0; NaN without text and without choices."""
        asked = groups.sum(population.keep("repeated_sampling.asked", _asked))
        repeats = ratio(asked - distinct(population, groups, "item_sample"), asked)
        extra = ratio(
            groups.sum(population.total("repeated_sampling.extra_choices")),
            groups.sum(population.total("volume.events")),
        )
        # no extra choice is an answer as well; else a log without text would have no null to compare with
        known = np.isfinite(repeats) | (groups.sum(population.total("repeated_sampling.chosen")) > 0)
        return np.where(known, np.nan_to_num(repeats) + np.nan_to_num(extra), np.nan)


def _asked(population: Population) -> Floats:
    """Sampled items an account asked, each as often as it did, [N]."""
    return np.asarray(population.traits("item_sample")[0].sum(axis=1), dtype=np.float64).ravel()


SIGNAL = RepeatedSampling()
