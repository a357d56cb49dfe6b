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

import numpy as np
import scipy.sparse as sp
from scipy.special import gammaln

from stillwatch.linking import embeddings, groups
from stillwatch.linking.communities import leiden
from stillwatch.linking.matrix import Floats, Ints
from stillwatch.linking.merging import Stocks, merged, odds
from stillwatch.linking.null import Null
from stillwatch.linking.pairs import Pairs

LIKELY = float(np.log(100.0))
"""Log odds from which two parts are two hands."""
EACH = 0.3
"""Log odds a member that are needed besides, because the split was chosen among very many. Measured: two rings .41 and
.44, one ring whose accounts have cards in common by threes and nothing else .18."""
MANY = 20
"""Least members of a part that is a hand of its own."""
RESOLUTION = 6.0
"""Of Leiden: fine, so that a community is in one hand."""
CONCENTRATIONS = np.geomspace(0.5, 2_000.0, 13)
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
    lists = [group.members[part] for part in _parts(_stocks(control, group.members, start), start)]
    if len(lists) < 2:
        return [group]
    of = np.zeros(len(group.members), dtype=np.int64)
    for _ in range(ROUNDS):
        before, of = of, _nearest(control, where, lists, group.members)
        lists = [group.members[of == place] for place in range(len(lists))]
        if np.array_equal(before, of) or min(map(len, lists)) < MANY:
            break
    if min(map(len, lists)) < MANY or not _still_apart(control, group.members, lists):
        return [group]
    out = []
    for place in range(len(lists)):
        mine = of == place
        out.append(group.only(mine))
    return sorted(out, key=lambda g: (-len(g.members), int(g.members[0])))


def _communities(nodes: int, weak: Pairs, members: Ints, seed: int) -> list[Ints]:
    """Places in `members` of each community of several that their links make."""
    place = np.full(nodes, -1, dtype=np.int64)
    place[members] = np.arange(len(members))
    inside = (place[weak.a] >= 0) & (place[weak.b] >= 0)
    a, b = place[weak.a[inside]], place[weak.b[inside]]
    code = leiden(len(members), a, b, -weak.log_p[inside], RESOLUTION, seed)
    return [np.flatnonzero(code == c) for c in np.flatnonzero(np.bincount(code) >= 2)]


def _stocks(control: Null, members: Ints, parts: list[Ints]) -> Stocks:
    """What communities (places in `members`) hold of every view that any of the members has."""
    shared = control.shared
    families = [view.family for view in shared.views]
    rows = shared.rows[members].astype(np.float64).tocsc()
    held = np.diff(rows.indptr)
    some = np.flatnonzero(held > 0)
    popular, whole, view = shared.share()[some], held[some].astype(np.float64), shared.view[some]
    base, theta, weight = np.zeros(len(some)), np.ones(len(families)), np.zeros(len(families))
    for v in np.unique(view).tolist():
        mine = view == v
        count, near = whole[mine], popular[mine]
        theta[v] = max(CONCENTRATIONS.tolist(), key=lambda t: log_likelihood(count, t * near, t))
        base[mine] = theta[v] * near
        draws = float(count.sum() / max((shared.volume[members, v] > 0).sum(), 1))
        weight[v] = 1 / (families.count(shared.views[v].family) * max(draws, 1.0))
    place = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    which = sp.csr_matrix((np.ones(len(place)), (place, np.concatenate(parts))), shape=(len(parts), len(members)))
    return Stocks((which @ rows[:, some]).tocsr(), base, view, theta, weight)


def log_likelihood(count: Floats, base: Floats, theta: float) -> float:
    """Log of the Dirichlet-multinomial (as a sequence) with parameters `base`, [tokens]; with those unseen `theta`."""
    some = count > 0
    seen = float((gammaln(count[some] + base[some]) - gammaln(base[some])).sum())
    return seen - float(gammaln(count.sum() + theta) - gammaln(theta))


def _parts(stocks: Stocks, start: list[Ints]) -> list[Ints]:
    """The parts of at least `MANY` members that are hands of their own; one or none if they are not."""
    label, gain = merged(stocks)
    alive = np.unique(label)
    parts = [np.sort(np.concatenate([start[k] for k in np.flatnonzero(label == z)])) for z in alive]
    large = [k for k, part in enumerate(parts) if len(part) >= MANY]
    sure = [k for k in large if all(gain[k, other] <= -LIKELY for other in large if other != k)]
    return [parts[k] for k in sure]


def _still_apart(control: Null, members: Ints, lists: list[Ints]) -> bool:
    """What the parts became is likelier apart as well.

    Measured on a campaign of 452 accounts: two parts that nothing spoke for joining were left by the greedy way, and
    once every member had gone to the nearer one, eight of ten views said that they have one stock (80 nats).
    """
    gain = odds(_stocks(control, members, [np.searchsorted(members, part) for part in lists]))
    least = max(LIKELY, EACH * len(members))
    return bool((gain[~np.eye(len(lists), dtype=bool)] <= -least).all())


def _nearest(control: Null, where: embeddings.Points | None, parts: list[Ints], nodes: Ints) -> Ints:
    """The part that each node belongs to: by what it shares where that is clear, else by what it asks too, [nodes]."""
    shares = np.stack([groups.against(control, part, nodes)[1][:, 0] for part in parts], axis=1)
    asks = np.zeros_like(shares)
    if where is not None:
        for column, part in enumerate(parts):
            place = np.flatnonzero(np.isin(where.nodes, part))
            if len(place) >= 2:
                towards = np.zeros(control.shared.nodes)
                towards[where.nodes] = embeddings.towards(where.unit, place)
                asks[:, column] = towards[nodes]
    order = np.sort(shares, axis=1)
    clear = order[:, -1] - order[:, -2] >= CLEAR
    return np.where(clear, shares.argmax(axis=1), (shares + CLEAR * asks).argmax(axis=1)).astype(np.int64)
