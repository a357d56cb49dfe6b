"""One hand is one customer: does it use the service as single customers do?

Matched groups are drawn of strangers, so what they say together hardly varies, and any group of people with one thing
in common (a class, a team) stands out against them by a hair. But such a group asks as one customer asks. So the
purpose of an operator is held against single honest customers as well: the sum of its bits must lie beyond what nearly
all of them reach. This asks how large the difference is, not how certain.

Measured (p as one customer): campaigns .0015 to .017 on three worlds, a class .11, teams .20 to .72. A campaign that
words every request anew reaches .07 to .13, as a class does. But a class shares a place and no cards: an operator whose
accounts share what people do not (`linking.means`) is held to `UNLIKE_WITH_MEANS` instead.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stillwatch.judging.calibrate import bits, tail_p
from stillwatch.judging.combine import facts, leave_one_out
from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Ints, Population
from stillwatch.signals import Signal

AS_ONE_CUSTOMER = "as_one_customer"
"""Name of the evidence row."""
UNLIKE = 0.05
"""Share of single customers that may use the service like an operator that is accused."""
LEAST_EVENTS = (50, 20, 1)
"""Events from which a customer says something about purpose; fewer where a log has not `ENOUGH` such customers."""
UNLIKE_WITH_MEANS = 0.15
MEANS_BITS = 10.0
"""`means_bits` from which an operator is not merely people with one place."""
ENOUGH = 200
MOST = 4_000
"""Customers compared with, drawn at random."""


def _active(eligible: npt.NDArray[np.bool_], events: Floats) -> Ints:
    for least in LEAST_EVENTS:
        rows = np.flatnonzero(eligible & (events >= least))
        if len(rows) >= ENOUGH:
            break
    return rows


def limit(means_bits: Floats) -> Floats:
    """The largest p with which operators may be accused, [G], by their `means_bits` ([G], NaN where not tested)."""
    return np.where(np.nan_to_num(means_bits) >= MEANS_BITS, UNLIKE_WITH_MEANS, UNLIKE)


def as_one_customer(
    population: Population,
    operators: Sequence[Ints],
    signals: Sequence[Signal],
    eligible: npt.NDArray[np.bool_],
    seed: int,
) -> Floats:
    """p-value of each operator's purpose among single customers that are `eligible` ([N]), [G]; NaN with too few."""
    mine = [signal for signal in signals if signal.dimension is Dimension.PURPOSE]
    rows = _active(eligible, population.total("volume.events"))
    rng = np.random.default_rng([seed, 4])
    rows = rows if len(rows) <= MOST else np.sort(rng.choice(rows, MOST, replace=False))
    if not len(rows) or not len(operators):
        return np.full(len(operators), np.nan)
    groups = Groups.of(list(operators), len(population))
    singles = Groups.of([np.array([row]) for row in rows], len(population))
    observed, null = [], []
    for signal in mine:
        customers = signal.statistics(population, singles)[None, :]
        observed.append(bits(tail_p(signal.statistics(population, groups), customers, signal.resolution)))
        null.append(bits(leave_one_out(customers)))
    total = facts(np.stack(observed), mine, Dimension.PURPOSE)
    return tail_p(total, facts(np.stack(null), mine, Dimension.PURPOSE), resolution=1.0)
