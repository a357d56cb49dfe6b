"""Task bank: one template in several hands, and never the same task twice.

Independent people who draw from one distribution collide at the birthday rate; workers of one bank do not. Shared
templates with shared items (homework, benchmarks, viral prompts) therefore speak against a bank.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Population, ratio
from stillwatch.signals.base import Signal

LEAST = 12
"""Sampled items a group must have asked, each counted once a member."""
NO_LEAD = "-"
"""Stands before an item whose first words make no skeleton: no template, so nobody can share it."""


class TaskBank(Signal):
    """Share of a group's items that are disjoint fills of templates in several hands."""

    name = "task_bank"
    dimension = Dimension.SOURCE
    fact = "bank"
    question = "Do several accounts fill one template with disjoint tasks?"
    statistic = (
        "of sampled items, each once a member: share under lead skeletons of two or more members, "
        "less twice the share that another member asked as well"
    )
    null = "matched groups"
    min_accounts = 2

    def measure(self, population: Population, groups: Groups) -> Floats:
        """In [-1, 1]: 1 if no item is asked by two, below 0 where most are; NaN below 12 sampled items.

        An item in h hands is h of all, and adds 2 - h: 1 alone, 0 for two, less for more. How often a member asked it
        does not matter: that is repeated sampling.
        """
        items, by_lead, lead_of = population.keep("task_bank.items", _bank)
        holders = (groups.members @ items).tocsr()
        several = (groups.members @ lead_of).tocsr()
        several.data = (several.data >= 2).astype(np.float64)
        disjoint = holders.copy()
        disjoint.data = 2 - holders.data
        net = np.asarray((disjoint @ by_lead).multiply(several).sum(axis=1), dtype=np.float64).ravel()
        total = np.asarray(holders.sum(axis=1), dtype=np.float64).ravel()
        return np.where(total >= LEAST, ratio(net, total), np.nan)


def _bank(population: Population) -> tuple[sp.csr_matrix, sp.csr_matrix, sp.csr_matrix]:
    """Who asked which item (N x T), the lead of each item (T x L), and who used which lead (N x L); all of ones."""
    items, tokens = population.traits("item_sample")
    leads = pc.list_element(pc.split_pattern(pa.array(tokens, pa.string()), ":", max_splits=1), 0).dictionary_encode()
    place = leads.indices.to_numpy()
    by_lead = sp.csr_matrix(
        (np.ones(len(tokens)), (np.arange(len(tokens)), place)), shape=(len(tokens), len(leads.dictionary))
    )
    asked = items.sign()
    template = sp.diags_array(np.array([lead != NO_LEAD for lead in leads.dictionary.to_pylist()], dtype=np.float64))
    return asked, by_lead, (asked @ by_lead @ template).sign().tocsr()


SIGNAL = TaskBank()
