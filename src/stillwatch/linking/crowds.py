"""Crowds: strangers who ask alike around a ring that asks as they do.

A part that is a ring proves the hand of everybody who was found with it. Whether one member belongs can seldom be said
from what it shares itself (of 22,520 accounts of a campaign none could be proven alone), but it can be said of those
who ask as it does: strangers share no more with the group than other strangers who hold as many traits do, so on
average they share more than half of those. Where a part pi of a neighbourhood is in the hand, that mean is
(1 + pi) / 2 at most.

Measured on the first three days of 60,055 accounts: 872 accounts around 153 of a ring .54, 366 of whom two thirds were
of three rings .68; one ring alone .80 and .91. On whole logs where each account had a card or an address of its own .88
and .88.
"""

from __future__ import annotations

import numpy as np

from stillwatch.linking import embeddings, groups
from stillwatch.linking.matrix import Floats, Ints
from stillwatch.linking.null import Null

STRANGERS = 8
"""Held against each member: one alone makes the mean of fifty members half as certain."""
NEIGHBOURS = 50
"""Members who ask alike that are looked at for each, at least; in a smaller group all of them."""
TWENTIETH = 20
"""More of them where a group is large, this part of its witnesses: the mean is as much surer."""
WITNESSES = 4_000
"""Members of whom these are chosen, the first in the common order: the others are more of the same."""


def shares_more(control: Null, members: Ints, rank: Ints, ever: np.ndarray | None = None) -> Floats:
    """Share of `STRANGERS` strangers who share less with the group than each member does, half of ties, [members].

    `rank` orders all nodes at random; whoever was `ever` a member is no stranger, [N] each. Where nobody is it is 1.
    """
    others = strangers(control, members, rank, ever)
    if not others.size:
        return np.ones(len(members))
    mine = groups.against(control, members, members)[1][:, :1]
    theirs = groups.against(control, members, others.ravel())[1][:, 0].reshape(others.shape)
    return np.asarray(((mine > theirs) + 0.5 * (mine == theirs)).mean(axis=1))


def strangers(control: Null, members: Ints, rank: Ints, ever: np.ndarray | None = None) -> Ints:
    """For each member nodes outside that hold as many traits, [members, `STRANGERS`]; [members, 0] if all are members.

    Members with one number take turns among all of that number; where these are too few, those around them stand in.
    """
    held = control.shared.volume.sum(axis=1)
    outside = np.ones(len(held), dtype=bool) if ever is None else ~ever
    outside[members] = False
    others = np.flatnonzero(outside)
    others = others[np.lexsort((rank[others], held[others]))]
    several = min(STRANGERS, len(others))
    order = np.lexsort((rank[members], held[members]))
    mine = held[members][order]
    first = np.searchsorted(held[others], mine)
    alike = np.searchsorted(held[others], mine, side="right") - first
    turn = (np.arange(len(mine)) - np.searchsorted(mine, mine)) * several
    start = np.where(alike > several, first + turn % np.maximum(alike - several + 1, 1), first - (several - alike) // 2)
    out = np.empty((len(members), several), dtype=np.int64)
    out[order] = others[np.clip(start, 0, len(others) - several)[:, None] + np.arange(several)]
    return out


def around(where: embeddings.Points | None, members: Ints, more: Floats, rank: Ints, nodes: Ints) -> Floats:
    """Mean of `more` among those `members` who ask most as each of `nodes` does (itself among them), [nodes].

    Of all members for one without an embedding.
    """
    out = np.full(len(nodes), more.mean())
    if where is None:
        return out
    seen = np.flatnonzero(np.isin(members, where.nodes))
    some = np.flatnonzero(np.isin(nodes, where.nodes))
    if not len(seen) or not len(some):
        return out
    seen = seen[np.argsort(rank[members[seen]], kind="stable")[:WITNESSES]]
    witnesses = _unit(where, members[seen])
    many = min(max(NEIGHBOURS, len(seen) // TWENTIETH), len(seen))
    for start in range(0, len(some), WITNESSES):
        some_of_them = some[start : start + WITNESSES]
        cosine = _unit(where, nodes[some_of_them]) @ witnesses.T
        near = np.argpartition(-cosine, many - 1, axis=1)[:, :many]
        out[some_of_them] = more[seen][near].mean(axis=1)
    return out


def _unit(where: embeddings.Points, nodes: Ints) -> np.ndarray:
    """Embeddings of nodes that have one, [nodes, dimensions]."""
    return where.unit[np.searchsorted(where.nodes, nodes)].astype(np.float32)
