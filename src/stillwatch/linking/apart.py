"""Two hands in one source: members of a group who share much among themselves and nothing with its other members.

Two campaigns with one kind of question, reworded by one kind of model, are one source of text, and each of them proves
that a hand is there. Whether it is one hand or two is a choice of models. A hand draws what its accounts have (cards,
clients, mail, exits, sign-ups) from a stock of its own: the tokens of one view in one hand are Dirichlet-multinomial
around the log's own popularity (Minka 2000), with the concentration that suits the group as one hand best. The weak
links of the members make communities, mostly a card or a home each; two communities, or what was made of them, become
one part while one stock is likelier than two. Each family of views counts as one draw an account, however many
addresses that has.

A group is two hands only if two parts of at least `MANY` members are left that are likelier apart. Thirty cards
that have nothing to do with each other leave no such part, so they stay what they were found as.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from stillwatch.linking import embeddings, groups
from stillwatch.linking.communities import leiden
from stillwatch.linking.matrix import Floats, Ints
from stillwatch.linking.merging import Stocks, joined, merged, needed, odds, stocks_of
from stillwatch.linking.null import Null
from stillwatch.linking.pairs import Pairs

MANY = 20
"""Least members of a part that is a hand of its own."""
RESOLUTION = 6.0
"""Of Leiden: fine, so that a community is in one hand."""
CLEAR = 2.0
"""Nats by which control must prefer a part to decide about a member alone."""
ROUNDS = 5


def apart(
    control: Null, weak: Pairs, where: embeddings.Points | None, group: groups.Group, seed: int
) -> list[groups.Group]:
    """The group as the hands it consists of, the largest first; as it is where one is likely enough.

    `weak` are pairs of the whole log with any evidence.
    """
    start = _communities(control.shared.nodes, weak, group.members, seed)
    if len(start) < 2:
        return [group]
    lists = [group.members[part] for part in _parts(stocks_of(control, group.members, start), start)]
    towards = _Towards(control, where, group.members)
    while len(lists) >= 2:
        of = _dealt(towards, lists)
        lists = [group.members[of == place] for place in range(len(lists))]
        small = min(range(len(lists)), key=lambda k: len(lists[k]))
        near = _alike(control, group.members, lists)
        if len(lists[small]) < MANY:
            del lists[small]
        elif near is None:
            out = [group.only(of == place) for place in range(len(lists))]
            return sorted(out, key=lambda g: (-len(g.members), int(g.members[0])))
        else:
            lists[near[0]] = np.union1d(lists[near[0]], lists.pop(near[1]))
    return [group]


def _dealt(towards: _Towards, parts: list[Ints]) -> Ints:
    """The part of each member, [members], once all have gone to the nearer one until they stay."""
    of = np.full(len(towards.members), -1, dtype=np.int64)
    for _ in range(ROUNDS):
        before, of = of, towards.nearest(parts)
        parts = [towards.members[of == place] for place in range(len(parts))]
        if np.array_equal(before, of) or min(map(len, parts)) < MANY:
            break
    return of


def _communities(nodes: int, weak: Pairs, members: Ints, seed: int) -> list[Ints]:
    """Places in `members` of each community of several that their links make."""
    place = np.full(nodes, -1, dtype=np.int64)
    place[members] = np.arange(len(members))
    inside = (place[weak.a] >= 0) & (place[weak.b] >= 0)
    a, b = place[weak.a[inside]], place[weak.b[inside]]
    code = leiden(len(members), a, b, -weak.log_p[inside], RESOLUTION, seed)
    return [np.flatnonzero(code == c) for c in np.flatnonzero(np.bincount(code) >= 2)]


def _parts(stocks: Stocks, start: list[Ints]) -> list[Ints]:
    """The parts of at least `MANY` members that are left when all that are not likely enough two hands are joined."""
    label, _ = merged(stocks)
    parts = [np.sort(np.concatenate([start[k] for k in np.flatnonzero(label == z)])) for z in np.unique(label)]
    large = np.flatnonzero([len(part) >= MANY for part in parts])
    which = sp.csr_matrix((label[None, :] == large[:, None]).astype(np.float64))
    again = joined(replace(stocks, rows=(which @ stocks.rows).tocsr()), np.array([len(parts[k]) for k in large]))
    return [np.sort(np.concatenate([parts[k] for k in large[again == z]])) for z in np.unique(again)]


def _alike(control: Null, members: Ints, lists: list[Ints]) -> tuple[int, int] | None:
    """Places x < y of the two parts that are most nearly one hand, None if all are likely enough two.

    Measured on a campaign of 452 accounts: two parts that nothing spoke for joining were left by the greedy way, and
    once every member had gone to the nearer one, eight of ten views said that they have one stock (80 nats).
    """
    size = np.array([len(part) for part in lists])
    gain = odds(stocks_of(control, members, [np.searchsorted(members, part) for part in lists]))
    gain += needed(size[:, None], size)
    x, y = divmod(int(gain.argmax()), len(lists))
    return (min(x, y), max(x, y)) if gain[x, y] > 0 else None


class _Towards:
    """How near each member of a group is to each of its parts; a part that stays as it was is not asked again."""

    def __init__(self, control: Null, where: embeddings.Points | None, members: Ints) -> None:
        self.control, self.where, self.members = control, where, members
        self.last: dict[bytes, tuple[Floats, Floats]] = {}

    def nearest(self, parts: list[Ints]) -> Ints:
        """The part of each member: by what it shares where that is clear, else by what it asks too, [members]."""
        names = [part.tobytes() for part in parts]
        self.last = {
            name: self.last.get(name) or (self._shares(part), self._asks(part))
            for name, part in zip(names, parts, strict=True)
        }
        shares, asks = (np.stack([self.last[name][k] for name in names], axis=1) for k in range(2))
        order = np.sort(shares, axis=1)
        clear = order[:, -1] - order[:, -2] >= CLEAR
        return np.where(clear, shares.argmax(axis=1), (shares + CLEAR * asks).argmax(axis=1)).astype(np.int64)

    def _shares(self, part: Ints) -> Floats:
        return groups.against(self.control, part, self.members)[1][:, 0]

    def _asks(self, part: Ints) -> Floats:
        towards = np.zeros(self.control.shared.nodes)
        if self.where is not None:
            place = np.flatnonzero(np.isin(self.where.nodes, part))
            if len(place) >= 2:
                towards[self.where.nodes] = embeddings.towards(self.where.unit, place)
        return towards[self.members]
