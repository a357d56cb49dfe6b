"""Task bank: one template in several hands, and never the same task twice.

Independent people who draw from one distribution collide at the birthday rate; workers of one bank do not. Shared
templates with shared items (homework, benchmarks, viral prompts) therefore speak against a bank.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Ints, Population, ratio
from stillwatch.signals._pooled import large, marked
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
        bank = population.keep("task_bank", Bank.of)
        users, items = bank.users, bank.shared
        if large(groups):
            marks, rows = marked(population, groups)
            by_lead, by_item = users[rows].tocsc(), items[rows].tocsc()
            net = _net_across(
                marks, by_lead.indptr, by_lead.indices, by_lead.data, bank.bounds, by_item.indptr, by_item.indices
            )
        else:
            net = _net(
                groups.members.indptr, groups.members.indices, users.indptr, users.indices, users.data,
                bank.bounds, items.indptr, items.indices, bank.lead,
            )  # fmt: skip
        total = groups.sum(bank.asked)
        return np.where(total >= LEAST, ratio(net, total), np.nan)


@dataclass(frozen=True)
class Bank:
    """Who asked which items under which of L templates, the leads that are one."""

    asked: Floats
    """Sampled items of each account, [N]."""
    users: sp.csr_matrix
    """What an account's items under a template add where somebody else uses it as well: 1 for one that nobody else
    asks, -1 for another, as that is in one more hand; N x L, with an entry, 0 or not, for each template it uses."""
    shared: sp.csr_matrix
    """Ones for the items under templates that several accounts ask, ordered by template, N x T'; each adds 2 once."""
    lead: Ints
    """Template of each of them, [T']."""
    bounds: Ints
    """First of them of each template, and their number, [L + 1]."""

    @classmethod
    def of(cls, population: Population) -> Bank:
        """From the traits `item_sample`."""
        items, tokens = population.traits("item_sample")
        leads = pc.list_element(pc.split_pattern(pa.array(tokens, pa.string()), ":", max_splits=1), 0)
        leads = leads.dictionary_encode()
        place, names = leads.indices.to_numpy().astype(np.int64), leads.dictionary.to_pylist()
        template = np.array([name != NO_LEAD for name in names], dtype=bool)
        several = np.bincount(items.indices, minlength=len(tokens)) >= 2
        # the matrix product counts items in the real part and those of one account in the imaginary one
        both = sp.csr_matrix((1 + 1j * ~several[items.indices], items.indices, items.indptr), shape=items.shape)
        kept = np.flatnonzero(template[place])
        by_lead = sp.csr_matrix((np.ones(len(kept)), (kept, place[kept])), shape=(len(tokens), len(names)))
        users = (both @ by_lead).tocsr()
        worth = (2 * users.data.imag - users.data.real).astype(np.int32)
        order = np.flatnonzero(several & template[place])
        order = order[np.argsort(place[order], kind="stable")]
        return cls(
            np.diff(items.indptr).astype(np.float64),
            sp.csr_matrix((worth, users.indices, users.indptr), shape=users.shape),
            items[:, order].tocsr(),
            place[order],
            np.searchsorted(place[order], np.arange(len(names) + 1)),
        )


@nb.njit(cache=True, nogil=True)
def _net(mptr, members, uptr, leads, worth, bounds, iptr, items, lead):  # type: ignore[no-untyped-def]
    """Of each group, the sum of 2 - h over its items under leads of two members or more; an item is in h hands."""
    net = np.zeros(len(mptr) - 1)
    users, here = np.zeros(len(bounds), np.int64), np.zeros(len(bounds), np.int64)
    asked = np.zeros(len(lead), np.bool_)
    for group in range(len(net)):
        mine = members[mptr[group] : mptr[group + 1]]
        for member in mine:
            for x in range(uptr[member], uptr[member + 1]):
                users[leads[x]] += 1
                here[leads[x]] += worth[x]
            for x in range(iptr[member], iptr[member + 1]):
                item = items[x]
                if not asked[item]:
                    asked[item] = True
                    here[lead[item]] += 2
        for member in mine:
            for x in range(uptr[member], uptr[member + 1]):
                if users[leads[x]] >= 2:
                    net[group] += here[leads[x]]
                users[leads[x]], here[leads[x]] = 0, 0
            for x in range(iptr[member], iptr[member + 1]):
                asked[items[x]] = False
    return net


@nb.njit(cache=True, nogil=True)
def _net_across(marks, uptr, users, worth, bounds, iptr, holders):  # type: ignore[no-untyped-def]
    """The same, lead by lead for all groups at once."""
    groups = marks.shape[1]
    net, here = np.zeros(groups, np.int64), np.zeros(groups, np.int32)
    one, two, asked = np.zeros(groups, np.uint8), np.zeros(groups, np.uint8), np.zeros(groups, np.uint8)
    for lead in range(len(uptr) - 1):
        if uptr[lead + 1] - uptr[lead] < 2:
            continue
        one[:], two[:], here[:] = 0, 0, 0
        for x in range(uptr[lead], uptr[lead + 1]):
            user, more = users[x], worth[x]
            for group in range(groups):
                mark = marks[user, group]
                two[group] |= one[group] & mark
                one[group] |= mark
                here[group] += more * mark
        for item in range(bounds[lead], bounds[lead + 1]):
            asked[:] = 0
            for x in range(iptr[item], iptr[item + 1]):
                holder = holders[x]
                for group in range(groups):
                    asked[group] |= marks[holder, group]
            for group in range(groups):
                here[group] += 2 * asked[group]
        for group in range(groups):
            net[group] += two[group] * here[group]
    return net


SIGNAL = TaskBank()
