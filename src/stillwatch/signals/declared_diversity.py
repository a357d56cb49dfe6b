"""Declared diversity against measured unity: many declared customers, one controller.

Strangers are diverse and not one hand; a declared organisation is one hand and not diverse. Both at once is the
contradiction that disclosure would have avoided.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Population, ratio
from stillwatch.signals.base import Signal

DECLARED = ("org_id", "payment_id", "email_domain", "country", "phone_id")


class DeclaredDiversity(Signal):
    """Diversity of what is declared times the unity that links show."""

    name = "declared_diversity"
    dimension = Dimension.TRANSPARENCY
    fact = "declared"
    question = "Do many declared customers turn out to be one?"
    statistic = "mean over declared columns of (distinct - 1) / (members - 1), times the share of members linked inside"
    null = "matched groups"
    min_accounts = 2

    def measure(self, population: Population, groups: Groups) -> Floats:
        """In [0, 1]; NaN where nothing was declared or no links were computed."""
        if population.links is None or population.accounts is None:
            return np.full(len(groups), np.nan)
        parts = []
        for name in DECLARED:
            distinct, known = groups.distinct(population.codes(name))
            parts.append(np.where(known >= 2, ratio(np.maximum(distinct - 1, 0), known - 1), np.nan))
        known_parts = np.isfinite(parts)
        diversity = ratio(np.nansum(parts, axis=0), known_parts.sum(axis=0).astype(np.float64))
        return diversity * unity(population.links, groups)


def unity(links: sp.csr_matrix, groups: Groups) -> Floats:
    """Share of members with a control link to another member, [G]; `links` is N x N."""
    linked = (groups.members @ links.sign()).tocsr()
    inside = linked.multiply(groups.members).tocsr()
    inside.eliminate_zeros()
    return ratio(np.diff(inside.indptr).astype(np.float64), groups.sizes)


SIGNAL = DeclaredDiversity()
