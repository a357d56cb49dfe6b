"""Task bank: one template in several hands, and never the same task twice.

Independent people who draw from one distribution collide at the birthday rate; workers of one bank do not. Shared
templates with shared items (homework, benchmarks, viral prompts) therefore speak against a bank.
"""

from __future__ import annotations

import numba as nb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Ints, Population, ratio
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
        items, lead, lead_of = population.keep("task_bank.items", _bank)
        members = groups.members
        net, total = _counted(
            members.indptr, members.indices, items.indptr, items.indices, lead_of.indptr, lead_of.indices, lead,
            items.shape[1], lead_of.shape[1],
        )  # fmt: skip
        return np.where(total >= LEAST, ratio(net, total), np.nan)


def _bank(population: Population) -> tuple[sp.csr_matrix, Ints, sp.csr_matrix]:
    """Who asked which item (N x T), the lead of each item ([T]), and who used which lead that is one (N x L)."""
    items, tokens = population.traits("item_sample")
    leads = pc.list_element(pc.split_pattern(pa.array(tokens, pa.string()), ":", max_splits=1), 0).dictionary_encode()
    place = leads.indices.to_numpy().astype(np.int64)
    by_lead = sp.csr_matrix(
        (np.ones(len(tokens)), (np.arange(len(tokens)), place)), shape=(len(tokens), len(leads.dictionary))
    )
    asked = items.sign()
    template = sp.diags_array(np.array([lead != NO_LEAD for lead in leads.dictionary.to_pylist()], dtype=np.float64))
    lead_of = (asked @ by_lead @ template).sign().tocsr()
    lead_of.eliminate_zeros()
    return asked, place, lead_of


@nb.njit(cache=True, nogil=True)
def _counted(mptr, members, iptr, items, lptr, leads, lead, distinct, templates):  # type: ignore[no-untyped-def]
    """Of each group, the sum of 2 - h over its items under leads of two members or more, and of h over all items; an
    item is in h hands. As products of sparse matrices the same takes four times as long."""
    net, total = np.zeros(len(mptr) - 1), np.zeros(len(mptr) - 1)
    hands, users = np.zeros(distinct, np.int64), np.zeros(templates, np.int64)
    found = np.empty(distinct, np.int64)
    for group in range(len(net)):
        n = 0
        mine = members[mptr[group] : mptr[group + 1]]
        for member in mine:
            for x in range(lptr[member], lptr[member + 1]):
                users[leads[x]] += 1
            for x in range(iptr[member], iptr[member + 1]):
                item = items[x]
                if hands[item] == 0:
                    found[n] = item
                    n += 1
                hands[item] += 1
        for item in found[:n]:
            total[group] += hands[item]
            if users[lead[item]] >= 2:
                net[group] += 2 - hands[item]
            hands[item] = 0
        for member in mine:
            for x in range(lptr[member], lptr[member + 1]):
                users[leads[x]] = 0
    return net, total


SIGNAL = TaskBank()
