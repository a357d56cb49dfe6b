"""Release pivot: does the traffic move to a new model at once, when the population takes days?"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Population, ratio
from stillwatch.signals.base import Signal


class ReleasePivot(Signal):
    """Share of traffic on a new model in its first two days, less the population's."""

    name = "release_pivot"
    dimension = Dimension.SOURCE
    fact = "pivot"
    question = "Do all accounts move to a new model at once?"
    statistic = (
        "largest, over releases, share of traffic on the new model on its first two days, less the log's own share"
    )
    null = "matched groups"
    min_accounts = 2

    def measure(self, population: Population, groups: Groups) -> Floats:
        """In [-1, 1]; NaN where no release falls into the log or a group is silent on those days."""
        use, tokens = population.traits("model_day")
        parts = np.char.rpartition(tokens, "|") if len(tokens) else np.empty((0, 3), dtype=np.str_)
        best = np.full(len(groups), np.nan)
        for model, released_at in population.releases:
            start = np.datetime64(released_at.date(), "D")
            days = [str(start), str(start + np.timedelta64(1, "D"))]
            then = np.isin(parts[:, 2], days)
            new = then & (parts[:, 0] == model)
            if not new.any():
                continue
            moved, active = use @ new.astype(np.float64), use @ then.astype(np.float64)
            share = ratio(groups.sum(moved), groups.sum(active)) - moved.sum() / active.sum()
            enough = groups.sum(active) >= 10
            best = np.fmax(best, np.where(enough, share, np.nan))
        return best


SIGNAL = ReleasePivot()
