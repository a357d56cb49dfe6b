"""Task bank: one template in several hands, and never the same task twice.

Independent people who draw from one distribution collide at the birthday rate; workers of one bank do not. Shared
templates with shared items (homework, benchmarks, viral prompts) therefore speak against a bank.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Population, ratio
from stillwatch.signals.base import Signal

LEAST = 12
"""Sampled items a group must have asked."""


class TaskBank(Signal):
    """Share of a group's items that are disjoint fills of templates in several hands."""

    name = "task_bank"
    dimension = Dimension.SOURCE
    fact = "bank"
    question = "Do several accounts fill one template with disjoint tasks?"
    statistic = "share of sampled items under lead skeletons of two or more members, less twice the items they share"
    null = "matched groups"
    min_accounts = 2

    def measure(self, population: Population, groups: Groups) -> Floats:
        """In [-1, 1]; NaN below 12 sampled items."""
        items, tokens = population.traits("item_sample")
        leads, lead = np.unique(np.char.partition(tokens, ":")[:, 0] if len(tokens) else tokens, return_inverse=True)
        by_lead = sp.csr_matrix((np.ones(len(tokens)), (np.arange(len(tokens)), lead)), shape=(len(tokens), len(leads)))
        asked = (groups.members @ (items @ by_lead)).tocsr()
        hands = (groups.members @ (items @ by_lead).sign()).tocsr()
        holders = (groups.members @ items.sign()).tocsr()
        holders.data = np.maximum(holders.data - 1, 0)
        shared = (holders @ by_lead).tocsr()
        several = hands.copy()
        several.data = (hands.data >= 2).astype(np.float64)
        disjoint = np.asarray((asked - 2 * shared).multiply(several).sum(axis=1)).ravel()
        total = np.asarray(asked.sum(axis=1)).ravel()
        return np.where(total >= LEAST, ratio(np.maximum(disjoint, -total), total), np.nan)


SIGNAL = TaskBank()
