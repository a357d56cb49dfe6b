"""What a signal is.

A signal asks one question about a group of accounts and answers with one number: the larger, the more like a harvest.
It has two halves. `fields` says what to keep of an account's day, as aggregates that merge (sum, min, max): so a month
is the merge of its days, and a cluster computes what a laptop computes. `measure` computes the statistic of whole
groups from the merged fields, the traits and the accounts table. What the number is worth in bits is not the signal's
business: `judging` compares it with the same statistic on matched groups of ordinary accounts of the same log.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import ibis.expr.types as ir
import numpy as np

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Population

Merge = Literal["sum", "min", "max"]
STEP = 2.0**-20
"""Fractions are summed in steps of this."""


def exact(value: ir.NumericValue) -> ir.NumericValue:
    """`value` to the nearest multiple of `STEP`, so that its sum has no rounding error, whatever the order of events.

    It holds up to a sum of 2^33. Without it the last bit of a sum says in how many parts the log was read.
    """
    return (value.cast("float64") / STEP).round() * STEP


@dataclass(frozen=True)
class Field:
    """One column of `summaries`: an aggregate over the sketches of an account's day, and how two days merge."""

    value: Callable[[ir.Table], ir.Value]
    merge: Merge = "sum"


class Signal(ABC):
    """One question about a group of accounts; see the module."""

    name: ClassVar[str]
    dimension: ClassVar[Dimension]
    fact: ClassVar[str]
    """Signals that state the same fact count once: the larger one."""
    question: ClassVar[str]
    statistic: ClassVar[str]
    null: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    """`events.COLUMN` and `accounts.COLUMN` without which the answer is 'not available'."""
    min_accounts: ClassVar[int] = 1
    """Groups smaller than this have no statistic."""
    background: ClassVar[Literal["matched", "customers"]] = "matched"
    """Null: matched groups of as many accounts, or single customers (for statements on what one hand uses)."""
    resolution: ClassVar[float] = 0.05
    """Differences below this mean nothing: the least spread the null is given."""

    def fields(self) -> Mapping[str, Field]:
        """Columns of `summaries` that this signal keeps, named without the signal's own name."""
        return {}

    @abstractmethod
    def measure(self, population: Population, groups: Groups) -> Floats:
        """Statistic of each group, [G]; NaN where the group has no answer."""

    def support(self, population: Population, groups: Groups) -> Floats:
        """Events behind the statistic, [G]."""
        return groups.sum(population.total("volume.events"))

    def statistics(self, population: Population, groups: Groups) -> Floats:
        """`measure`, with NaN where the log lacks what the signal needs or the group is too small."""
        if population.lacks(self.needs) or not (groups.sizes >= self.min_accounts).any():
            return np.full(len(groups), np.nan)
        return np.where(groups.sizes >= self.min_accounts, self.measure(population, groups), np.nan)
