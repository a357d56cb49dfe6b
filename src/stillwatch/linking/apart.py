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

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from stillwatch.linking import embeddings, groups
from stillwatch.linking.communities import leiden
from stillwatch.linking.matrix import Floats, Ints
from stillwatch.linking.null import Null
from stillwatch.linking.pairs import Pairs

LIKELY = float(np.log(100.0))
"""Log odds from which two parts are two hands."""
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
    if min(map(len, lists)) < MANY:
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


@dataclass(frozen=True)
class Stock:
    """What communities hold of one view."""

    count: Floats
    """Members with each token, [communities, tokens]."""
    base: Floats
    """theta times the log's popularity of each token, [tokens]."""
    theta: float
    weight: float
    """So that its family counts as one draw an account."""

    def gain(self, x: Floats, y: Floats) -> float:
        """Log odds that two counts, [tokens], come from one stock and not from two; 0 where one is empty."""
        m, n = float(x.sum()), float(y.sum())
        some = (x > 0) & (y > 0)
        base = self.base[some]
        shared = gammaln(x[some] + y[some] + base) + gammaln(base) - gammaln(x[some] + base) - gammaln(y[some] + base)
        size = gammaln(m + n + self.theta) + gammaln(self.theta) - gammaln(m + self.theta) - gammaln(n + self.theta)
        return self.weight * float(shared.sum() - size)


def _stocks(control: Null, members: Ints, parts: list[Ints]) -> list[Stock]:
    """Of every view that any of the members has."""
    shared = control.shared
    families = [view.family for view in shared.views]
    rows = shared.rows[members].tocsc()
    held = np.diff(rows.indptr)
    which = np.zeros((len(parts), len(members)))
    for place, part in enumerate(parts):
        which[place, part] = 1.0
    out = []
    for v, view in enumerate(shared.views):
        tokens = np.flatnonzero((shared.view == v) & (held > 0))
        if not len(tokens):
            continue
        block = rows[:, tokens].tocsr()
        popular = shared.share()[tokens]
        whole = held[tokens].astype(np.float64)
        theta = max(CONCENTRATIONS.tolist(), key=lambda t: log_likelihood(whole, t * popular, t))
        draws = float(whole.sum() / max((np.diff(block.indptr) > 0).sum(), 1))
        weight = 1 / (families.count(view.family) * max(draws, 1.0))
        out.append(Stock(np.asarray(which @ block), theta * popular, theta, weight))
    return out


def log_likelihood(count: Floats, base: Floats, theta: float) -> float:
    """Log of the Dirichlet-multinomial (as a sequence) with parameters `base`, [tokens]; with those unseen `theta`."""
    some = count > 0
    seen = float((gammaln(count[some] + base[some]) - gammaln(base[some])).sum())
    return seen - float(gammaln(count.sum() + theta) - gammaln(theta))


def _parts(stocks: list[Stock], start: list[Ints]) -> list[Ints]:
    """The parts of at least `MANY` members that are hands of their own; one or none if they are not."""
    parts: list[Ints] = list(start)
    counts = [[stock.count[k] for stock in stocks] for k in range(len(start))]
    alive = list(range(len(start)))

    def gain(x: int, y: int) -> float:
        return sum(s.gain(a, b) for s, a, b in zip(stocks, counts[x], counts[y], strict=True))

    pairs = {(x, y): gain(x, y) for x in alive for y in range(x)}
    while pairs:
        x, y = max(pairs, key=lambda xy: (pairs[xy], -xy[0], -xy[1]))
        if pairs[x, y] <= 0:
            break
        new = len(parts)
        parts.append(np.union1d(parts[x], parts[y]))
        counts.append([a + b for a, b in zip(counts[x], counts[y], strict=True)])
        pairs = {xy: value for xy, value in pairs.items() if not {x, y} & set(xy)}
        alive = [z for z in alive if z not in (x, y)]
        pairs.update({(new, z): gain(new, z) for z in alive})
        alive.append(new)
    large = [z for z in alive if len(parts[z]) >= MANY]
    sure = [z for z in large if all(pairs[max(z, o), min(z, o)] <= -LIKELY for o in large if o != z)]
    return [parts[z] for z in sure]


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
