"""What a number of matches is worth: exact tests against the provider's own draw, and bounds from control corpora.

For some requests, chosen by a key, several answers are drawn and one of them, chosen by the key as well, is served; the
others are put away. A corpus that was made without our service cannot tell which one was served. So, whoever made it
and however its rows hang together, given which answers stand in it, each was equally likely to be the served one: the
null is the provider's own draw, and the p-value is exact (Zhang, Das, Kamath, Tramer, SaTML 2025).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
LEVEL = 0.95
"""Of intervals."""
ACCUSE = 1e-6
"""An exact p-value, multiplied by the number of tests, from which on a match of data sets may be spoken of as shown."""


@dataclass(frozen=True)
class Test:
    """One test: `statistic` over `n` cases against what is `expected` under `null`; no p-value where there is None."""

    name: str
    null: str
    statistic: str
    n: int
    observed: float
    expected: float
    p_value: float | None
    exact: bool
    tests: int = 1

    @property
    def adjusted(self) -> float | None:
        """p-value times the number of tests (Bonferroni), at most 1."""
        return None if self.p_value is None else min(1.0, self.p_value * self.tests)

    def as_dict(self) -> dict[str, Any]:
        """Row of the table `tests`."""
        return {
            "test": self.name, "null": self.null, "statistic": self.statistic, "n": self.n, "observed": self.observed,
            "expected": self.expected, "p_value": self.p_value, "tests": self.tests, "adjusted": self.adjusted,
            "exact": self.exact,
        }  # fmt: skip


def interval(found: int, of: int, level: float = LEVEL) -> tuple[float, float]:
    """Clopper-Pearson interval of a share; (0, 1) where nothing was looked at."""
    low, high = intervals(np.array([found]), np.array([of]), level)
    return float(low[0]), float(high[0])


def intervals(found: Ints, of: Ints, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Clopper-Pearson intervals of n shares, (low [n], high [n])."""
    tail, rest = (1 - level) / 2, of - found
    low = np.where((of > 0) & (found > 0), stats.beta.ppf(tail, np.maximum(found, 1), rest + 1), 0.0)
    high = np.where((of > 0) & (rest > 0), stats.beta.ppf(1 - tail, found + 1, np.maximum(rest, 1)), 1.0)
    return low, high


def paired(served: npt.NDArray[np.bool_], others: Ints, drawn: Ints, tests: int = 1) -> Test:
    """Of requests with `drawn` answers besides the served one, of which `others` stand in the corpus: how often is the
    served one among those that do? Each [requests]."""
    hits = served.astype(np.int64) + others
    chance = hits / (drawn + 1)
    split = (chance > 0) & (chance < 1)
    observed, chance = int(served[split].sum()), chance[split]
    return Test(
        "served against unserved, by request",
        "which of a request's answers was served is a keyed draw that a corpus made without our service cannot know",
        "requests whose served answer stands in the corpus, among those of which some but not all answers do",
        int(split.sum()), observed, float(chance.sum()), upper_tail(chance, observed), True, tests,
    )  # fmt: skip


def upper_tail(chance: Floats, observed: int) -> float:
    """P(at least `observed` successes) of independent draws with these chances; exact, a binomial for each chance."""
    whole = np.ones(1)
    for value, n in zip(*np.unique(chance, return_counts=True), strict=True):
        if len(whole) == 1 and n == len(chance):
            return float(stats.binom.sf(observed - 1, n, value))
        whole = np.convolve(whole, stats.binom.pmf(np.arange(n + 1), n, value))
    return float(min(1.0, whole[max(observed, 0) :].sum()))


def pooled(served: int, of_served: int, unserved: int, of_unserved: int, tests: int = 1) -> Test:
    """Are answers that were served found more often than those that were not, if all are one pool in which a keyed draw
    decided what is served? Hypergeometric, given how many are found."""
    found, everything = served + unserved, of_served + of_unserved
    p = float(stats.hypergeom.sf(served - 1, everything, of_served, found)) if everything else 1.0
    return Test(
        "served against unserved, pooled",
        "which answers of the pool were served is a keyed draw that a corpus made without our service cannot know",
        "served answers that stand in the corpus, given how many of the pool do",
        found, served, found * of_served / everything if everything else 0.0, p, True, tests,
    )  # fmt: skip


def controls(share: float, texts: int, others: Sequence[tuple[int, int]], tests: int = 1) -> Test:
    """Is the share of the corpus's texts that match above that of every control corpus (matched, texts)? The p-value is
    that of a rank among corpora and cannot be below 1 / (controls + 1)."""
    shares = [found / of for found, of in others if of]
    rank = sum(one >= share for one in shares)
    return Test(
        "corpus among control corpora",
        "the corpus is one more of the kind of the control corpora: a likeness, no draw of ours, and so a lead",
        "control corpora of which at least this share matches",
        len(shares), rank, len(shares) / 2, (1 + rank) / (1 + len(shares)), False, tests,
    )  # fmt: skip
