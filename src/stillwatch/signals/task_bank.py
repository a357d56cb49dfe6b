"""Task bank: one template in several hands, and never the same task twice.

Independent people who draw from one distribution collide at the birthday rate; workers of one bank do not. Shared
templates with shared items (homework, benchmarks, viral prompts) therefore speak against a bank.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Ints, Population, ratio
from stillwatch.signals._pooled import Places, large, marked
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
        if large(groups):
            marks, rows = marked(population, groups)
            net = _net_across(marks, *_by_lead(bank, rows))
        else:
            members, items, users = groups.members, bank.asked, bank.users
            net = _net(
                members.indptr, members.indices, items.indptr, items.indices, users.indptr, users.indices, bank.lead,
                items.shape[1], users.shape[1],
            )  # fmt: skip
        total = groups.sum(np.diff(bank.asked.indptr).astype(np.float64))
        return np.where(total >= LEAST, ratio(net, total), np.nan)


@dataclass(frozen=True)
class Bank:
    """Who asked which item under which template."""

    asked: sp.csr_matrix
    """Ones, N x T."""
    lead: Ints
    """Lead of each item, [T]."""
    template: npt.NDArray[np.bool_]
    """Leads that are one, [L]."""
    by_lead: sp.csr_matrix
    """Ones for each item at its lead if that is a template, T x L."""
    users: sp.csr_matrix
    """Items of each account under each lead that is a template, N x L."""

    @classmethod
    def of(cls, population: Population) -> Bank:
        """From the traits `item_sample`."""
        items, tokens = population.traits("item_sample")
        leads = pc.list_element(pc.split_pattern(pa.array(tokens, pa.string()), ":", max_splits=1), 0)
        leads = leads.dictionary_encode()
        place = leads.indices.to_numpy().astype(np.int64)
        asked = items.sign()
        template = np.array([lead != NO_LEAD for lead in leads.dictionary.to_pylist()], dtype=bool)
        by_lead = sp.csr_matrix(
            (template[place].astype(np.float64), place, np.arange(len(tokens) + 1)), shape=(len(tokens), len(template))
        )
        by_lead.eliminate_zeros()
        return cls(asked, place, template, by_lead, (asked @ by_lead).tocsr())


def _by_lead(bank: Bank, rows: Ints) -> tuple[Places, ...]:
    """For `_net_across`, of the accounts `rows`: leads with two users or more, who they are and what each one's items
    add if nobody else asks them; items that two or more asked, by lead, and who did."""
    asked = bank.asked[rows]
    shared = np.bincount(asked.indices, minlength=asked.shape[1]) >= 2
    # of each account and lead: items as the real part, those that nobody else asks as the imaginary one
    both = sp.csr_matrix((1 + 1j * ~shared[asked.indices], asked.indices, asked.indptr), shape=asked.shape)
    users = (both @ bank.by_lead).tocsc()
    kept = np.flatnonzero(np.diff(users.indptr) >= 2)
    users = users[:, kept]
    worth = (2 * users.data.imag - users.data.real).astype(np.int32)
    items = np.flatnonzero(shared & bank.template[bank.lead])
    items = items[np.argsort(bank.lead[items], kind="stable")]
    bounds = np.searchsorted(bank.lead[items], np.append(kept, len(bank.template)))
    by_item = asked.tocsc()[:, items]
    return users.indptr, users.indices, worth, bounds, by_item.indptr, by_item.indices


@nb.njit(cache=True, nogil=True)
def _net_across(marks, uptr, users, worth, bounds, hptr, holders):  # type: ignore[no-untyped-def]
    """What `_net` adds up, lead by lead for all groups at once."""
    groups = marks.shape[1]
    net, here = np.zeros(groups, np.int64), np.zeros(groups, np.int32)
    one, two, asked = np.zeros(groups, np.uint8), np.zeros(groups, np.uint8), np.zeros(groups, np.uint8)
    for lead in range(len(uptr) - 1):
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
            for x in range(hptr[item], hptr[item + 1]):
                holder = holders[x]
                for group in range(groups):
                    asked[group] |= marks[holder, group]
            for group in range(groups):
                here[group] += 2 * asked[group]
        for group in range(groups):
            net[group] += two[group] * here[group]
    return net


@nb.njit(cache=True, nogil=True)
def _net(mptr, members, iptr, items, lptr, leads, lead, distinct, templates):  # type: ignore[no-untyped-def]
    """Of each group, the sum of 2 - h over its items under leads of two members or more; an item is in h hands."""
    net = np.zeros(len(mptr) - 1)
    hands, users = np.zeros(distinct, np.int64), np.zeros(templates, np.int64)
    for group in range(len(net)):
        mine = members[mptr[group] : mptr[group + 1]]
        for member in mine:
            for x in range(lptr[member], lptr[member + 1]):
                users[leads[x]] += 1
            for x in range(iptr[member], iptr[member + 1]):
                hands[items[x]] += 1
        for member in mine:
            for x in range(iptr[member], iptr[member + 1]):
                item = items[x]
                if hands[item] and users[lead[item]] >= 2:
                    net[group] += 2 - hands[item]
                hands[item] = 0
        for member in mine:
            for x in range(lptr[member], lptr[member + 1]):
                users[leads[x]] = 0
    return net


SIGNAL = TaskBank()
