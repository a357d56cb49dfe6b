"""Hand-over: accounts are closed, and others of the group are born to take their place.

Replacement after a ban is what separates an operator with a pool from people who leave.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Population
from stillwatch.signals.base import Signal

Instants = npt.NDArray[np.datetime64]
WINDOW = np.timedelta64(3, "D")


class HandOver(Signal):
    """Members created soon after a member's closure."""

    name = "hand_over"
    dimension = Dimension.SOURCE
    fact = "life_cycle"
    question = "Are closed accounts replaced at once?"
    statistic = (
        "members created within 3 days after a member's closure, a member, less what its births' spread predicts"
    )
    null = "matched groups"
    needs = ("accounts.created_at", "accounts.closed_at")
    min_accounts = 3

    def measure(self, population: Population, groups: Groups) -> Floats:
        """In [-1, 1]; 0 for a group in which nobody was closed, NaN where it is not known when members were created."""
        created = population.instants("created_at")
        closed = population.instants("closed_at")
        out = np.zeros(len(groups))
        indptr, indices = groups.members.indptr, groups.members.indices
        candidates = np.flatnonzero(groups.sum((~np.isnat(closed)).astype(np.float64)) >= 1)
        for group in candidates:
            rows = indices[indptr[group] : indptr[group + 1]]
            out[group] = _replaced(_sorted(created[rows]), closed[rows], len(rows))
        return out


def _sorted(of: Instants) -> Instants:
    """Those that are known, in order; numbers sort faster than instants."""
    return np.sort(of[~np.isnat(of)].view(np.int64)).view(of.dtype)


def _replaced(born: Instants, closed: Instants, size: int) -> float:
    """Births within the window after some closure, less the share of the births' span that such windows cover."""
    ends = _sorted(closed)
    if not len(born):
        return float("nan")
    last_end = np.searchsorted(ends, born, side="left") - 1
    after = (last_end >= 0) & (born - ends[np.maximum(last_end, 0)] <= WINDOW)
    span = max(born[-1] - born[0], WINDOW)
    # windows reach to the next closure at most, and count where births are: closures after the last birth cover nothing
    until = np.minimum(ends + WINDOW, np.append(ends[1:], ends[-1] + WINDOW))
    inside = np.minimum(until, born[-1]) - np.maximum(ends, born[0])
    covered = float(np.maximum(inside, np.timedelta64(0, "us")).sum() / span)
    return float(after.sum() - covered * len(born)) / size


SIGNAL = HandOver()
