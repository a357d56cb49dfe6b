"""Rhythm: does the group work round the clock where comparable accounts have nights?

A weak cue: real clients that are flat over 24 hours carry 4 to 26 % of requests, so it is judged against accounts of
the same volume only.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Population, ratio
from stillwatch.signals.base import Signal


class Rhythm(Signal):
    """Entropy of the pooled hour of day."""

    name = "rhythm"
    dimension = Dimension.SCALE
    fact = "rhythm"
    question = "Does it run round the clock?"
    statistic = "entropy of the pooled hour of day, in bits, corrected for small counts (Miller 1955)"
    null = "matched groups"

    def measure(self, population: Population, groups: Groups) -> Floats:
        """Entropy plus Miller's (K - 1) / 2n, NaN below 48 active hours."""
        pooled = np.asarray(groups.members @ population.keep("rhythm.hours", _hours))
        total = pooled.sum(axis=1)
        share = pooled / np.maximum(total, 1)[:, None]
        entropy = -(share * np.log2(np.maximum(share, 1e-12))).sum(axis=1)
        bias = ratio((pooled > 0).sum(axis=1) - 1.0, 2 * total * np.log(2))
        return np.where(total >= 48, entropy + bias, np.nan)


def _hours(population: Population) -> Floats:
    """Active hours an account by hour of day (UTC), [N, 24]."""
    active, tokens = population.traits("active_hour")
    hour_of_day = sp.csr_matrix(
        (np.ones(len(tokens)), (np.arange(len(tokens)), tokens.astype(np.int64) % 24)), shape=(len(tokens), 24)
    )
    return np.asarray((active.sign() @ hour_of_day).toarray(), dtype=np.float64)


SIGNAL = Rhythm()
