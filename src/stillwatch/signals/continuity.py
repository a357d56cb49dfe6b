"""Continuity: are answers followed up, and are prefixes reused?

People and agents continue a conversation, so later requests carry earlier turns and hit the prompt cache. A harvest
asks once and goes on; cycling through accounts breaks the cache as well.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Population, ratio
from stillwatch.signals.base import Field, Signal


class Continuity(Signal):
    """Single-turn share less cache-hit share."""

    name = "continuity"
    dimension = Dimension.PURPOSE
    fact = "continuity"
    question = "Are answers followed up?"
    statistic = "mean over members of the share of requests with one turn, less that of input tokens from the cache"
    null = "matched groups"

    def fields(self) -> Mapping[str, Field]:
        """Requests by turns, and tokens by cache, where each is known."""
        return {
            "single": Field(lambda t: (t.turns <= 1).sum()),
            "turned": Field(lambda t: t.turns.count()),
            "cached": Field(lambda t: t.input_tokens.isnull().ifelse(None, t.cached_tokens).sum()),
            "cacheable": Field(lambda t: t.cached_tokens.isnull().ifelse(None, t.input_tokens).sum()),
        }

    def measure(self, population: Population, groups: Groups) -> Floats:
        """In [-1, 1]; NaN where turns are unknown. Without a report of the cache the log's own share stands in."""
        cached, cacheable = population.total("continuity.cached"), population.total("continuity.cacheable")
        # not reported is not "never hit": half the platforms of a log may be silent on their cache
        log_hit = np.nan_to_num(ratio(np.nansum(cached), np.nansum(cacheable)))
        own = ratio(cached, cacheable)
        # some producers count cached tokens apart from input tokens
        hit = np.clip(np.where(np.isfinite(own), own, log_hit), 0, 1)
        turned = population.total("continuity.turned")
        return groups.share(population.total("continuity.single") - hit * turned, turned)


SIGNAL = Continuity()
