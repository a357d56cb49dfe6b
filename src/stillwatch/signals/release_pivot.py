"""Release pivot: does the traffic move to a new model at once, when the population takes days?"""

from __future__ import annotations

from datetime import UTC

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

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
        use, _ = population.traits("model_day")
        models, days = population.keep("release_pivot.tokens", _model_and_day)
        best = np.full(len(groups), np.nan)
        for model, released_at in population.releases:
            moment = released_at.astimezone(UTC) if released_at.tzinfo else released_at
            start = np.datetime64(moment.date(), "D")
            then = (days == start) | (days == start + np.timedelta64(1, "D"))
            new = then & (models == model)
            if not new.any():
                continue
            moved, active = use @ new.astype(np.float64), use @ then.astype(np.float64)
            share = ratio(groups.sum(moved), groups.sum(active)) - moved.sum() / active.sum()
            enough = groups.sum(active) >= 10
            best = np.fmax(best, np.where(enough, share, np.nan))
        return best


def _model_and_day(population: Population) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.datetime64]]:
    """Model and UTC day of each token of `model_day`, both [T]."""
    _, tokens = population.traits("model_day")
    # a model's name may hold the separator: the day is what follows the last one
    parts = pc.split_pattern(pa.array(tokens, pa.string()), "|", max_splits=1, reverse=True)
    models = pc.list_element(parts, 0).to_numpy(zero_copy_only=False)
    return models, pc.list_element(parts, 1).to_numpy(zero_copy_only=False).astype("datetime64[D]")


SIGNAL = ReleasePivot()
