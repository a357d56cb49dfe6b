"""Declared diversity against measured unity: many declared customers, one controller.

Strangers are diverse and not one hand; a declared organisation is one hand and not diverse. Both at once is the
contradiction that disclosure would have avoided.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Ints, Population, ratio
from stillwatch.signals.base import Signal

DECLARED = ("org_id", "payment_id", "email_domain", "country", "phone_id")


class DeclaredDiversity(Signal):
    """Diversity of what is declared times the unity that linking proves."""

    name = "declared_diversity"
    dimension = Dimension.TRANSPARENCY
    fact = "declared"
    question = "Do many declared customers turn out to be one?"
    statistic = "mean over declared columns of (distinct - 1) / (members - 1), times the share proven to be in one hand"
    null = "matched groups"
    min_accounts = 2

    def measure(self, population: Population, groups: Groups) -> Floats:
        """In [0, 1]; NaN where nothing was declared or nothing was linked."""
        if population.hand is None or population.accounts is None:
            return np.full(len(groups), np.nan)
        parts = []
        for name in DECLARED:
            distinct, known = groups.distinct(population.codes(name))
            parts.append(np.where(known >= 2, ratio(np.maximum(distinct - 1, 0), known - 1), np.nan))
        known_parts = np.isfinite(parts)
        diversity = ratio(np.nansum(parts, axis=0), known_parts.sum(axis=0).astype(np.float64))
        return diversity * unity(population.hand, groups)


def unity(hand: Ints, groups: Groups) -> Floats:
    """Members beyond the first that are in the group's largest proven hand, over all members beyond the first, [G]."""
    return ratio(np.maximum(groups.largest(hand), 1) - 1, groups.sizes - 1)


SIGNAL = DeclaredDiversity()
