"""Putting communities together while one stock of cards, exits and mail is likelier than two (see `apart`).

Greedy: the pair with the largest gain first. A group of ten thousand accounts has thousands of communities, so counts
are kept sparse and a new part is weighed against all others at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.special import gammaln

from stillwatch.linking.matrix import Floats, Ints
from stillwatch.linking.null import Null
from stillwatch.linking.views import RENTED

LIKELY = float(np.log(100.0))
"""Log odds from which two parts are two hands."""
EACH = 0.33
"""Log odds that are needed besides of each member and as many of the other part: the split was chosen among very
many. Measured: two rings .36 to 1; what was left of one ring, once its members were dealt, .302 at most (59 accounts of
lab-2 at full size), so this is the middle."""

LEAST_CONCENTRATION = 0.5


@dataclass(frozen=True)
class Stocks:
    """What C communities hold of A tokens in V views, and the Dirichlet-multinomial around the log's popularity."""

    rows: sp.csr_matrix
    """Members with each token, [C, A]."""
    base: Floats
    """theta times the log's popularity of each token, [A]."""
    view: Ints
    """[A]"""
    theta: Floats
    weight: Floats
    """Of each view, [V], so that its family counts as one draw an account."""


def stocks_of(control: Null, members: Ints, parts: list[Ints]) -> Stocks:
    """What communities (places in `members`) hold of every view that any of the members has."""
    shared = control.shared
    families = [view.family for view in shared.views]
    rows = shared.rows[members].astype(np.float64).tocsc()
    held = np.diff(rows.indptr)
    some = np.flatnonzero(held > 0)
    popular, whole, view = shared.share()[some], held[some].astype(np.float64), shared.view[some]
    grid = concentrations(shared.nodes)
    base, theta, weight = np.zeros(len(some)), np.ones(len(families)), np.zeros(len(families))
    for v in np.unique(view).tolist():
        mine = view == v
        count, near = whole[mine], popular[mine]
        theta[v] = max(grid.tolist(), key=lambda t: log_likelihood(count, t * near, t))
        base[mine] = theta[v] * near
        draws = float(count.sum() / max((shared.volume[members, v] > 0).sum(), 1))
        weight[v] = 1 / (families.count(shared.views[v].family) * max(draws, 1.0))
    place = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    which = sp.csr_matrix((np.ones(len(place)), (place, np.concatenate(parts))), shape=(len(parts), len(members)))
    return Stocks((which @ rows[:, some]).tocsr(), base, view, theta, weight)


def concentrations(nodes: int) -> Floats:
    """Of a stock, from one thing that all have, doubled, to one for each account of the log.

    Measured: 22,469 accounts with cards by threes fell into five parts while 2,000 was the most.
    """
    steps = int(np.log2(max(nodes / LEAST_CONCENTRATION, 1.0)))
    return np.asarray(LEAST_CONCENTRATION * 2.0 ** np.arange(steps + 1), np.float64)


def log_likelihood(count: Floats, base: Floats, theta: float) -> float:
    """Log of the Dirichlet-multinomial (as a sequence) with parameters `base`, [tokens]; with those unseen `theta`."""
    some = count > 0
    seen = float((gammaln(count[some] + base[some]) - gammaln(base[some])).sum())
    return seen - float(gammaln(count.sum() + theta) - gammaln(theta))


def merged(stocks: Stocks) -> tuple[Ints, Floats]:
    """Part of each community, [C], parts in the order in which they came to be; log odds of each pair, [parts, parts].

    Log odds that two parts have one stock and not two; of equal pairs the one that came to be first goes first.
    """
    state = _State(stocks)
    size = len(state.total)
    gain = odds(stocks)
    top = gain.max(axis=1, initial=-np.inf)
    name, label = np.arange(size), np.arange(size)
    for fresh in range(size, 2 * size):
        if top.max(initial=-np.inf) <= 0:
            break
        keep, gone = _first(gain, top, name)
        stale = np.isfinite(top) & ((gain[:, keep] == top) | (gain[:, gone] == top))
        state.join(keep, gone)
        label[label == gone] = keep
        name[keep], name[gone] = fresh, -1
        new = np.where(name >= 0, state.gains(keep), -np.inf)
        new[keep] = -np.inf
        gain[gone, :] = gain[:, gone] = -np.inf
        gain[keep, :] = gain[:, keep] = new
        top[stale] = gain[stale].max(axis=1)
        top = np.maximum(top, new)
        top[keep], top[gone] = new.max(), -np.inf
    alive = np.flatnonzero(name >= 0)
    alive = alive[np.argsort(name[alive])]
    place = np.full(size, -1)
    place[alive] = np.arange(len(alive))
    return place[label].astype(np.int64), gain[np.ix_(alive, alive)]


def joined(stocks: Stocks, members: Ints) -> Ints:
    """Hand of each part, [C], once all are joined that are not likely enough two (`needed`), the likeliest pair first.

    `members` are how many accounts each part has, [C].
    """
    state, raw = _State(stocks), odds(stocks)
    size = len(raw)
    count, alive, label = members.astype(np.float64), np.ones(size, dtype=bool), np.arange(size)
    while alive.sum() > 1:
        gain = raw + needed(count[:, None], count)
        x, y = sorted(divmod(int(np.where(alive[:, None] & alive, gain, -np.inf).argmax()), size))
        if gain[x, y] <= 0:
            break
        state.join(x, y)
        alive[y] = False
        label[label == y] = x
        count[x] += count[y]
        raw[x] = raw[:, x] = state.gains(x)
        raw[x, x] = -np.inf
    return np.unique(label, return_inverse=True)[1].astype(np.int64)


def needed(a: Floats, b: Floats) -> Floats:
    """Log odds that two parts of so many members need to be two hands.

    A pair is held to what the smaller part can say. Measured on 25 million events: a class of 200 beside two rings of
    600 and 800 (452 and 516 nats) stayed in one group with them while every pair was held to what all should.
    """
    return np.maximum(LIKELY, EACH * 2.0 * np.minimum(a, b))


def odds(stocks: Stocks) -> Floats:
    """Log odds that two communities have one stock and not two, [C, C]; -inf on the diagonal."""
    state = _State(stocks)
    size = len(state.total)
    gain = np.stack([state.gains(slot) for slot in range(size)]) if size else np.zeros((0, 0))
    gain = np.tril(gain, -1) + np.tril(gain, -1).T
    np.fill_diagonal(gain, -np.inf)
    return gain


def one_stock(control: Null, a: Ints, b: Ints) -> bool:
    """Two groups of nodes have one stock likelier than two, of all but rented networks: two may rent from one owner."""
    members = np.union1d(a, b)
    stocks = stocks_of(control, members, [np.searchsorted(members, part) for part in (a, b)])
    own = np.array([view.family != RENTED for view in control.shared.views], dtype=bool)
    return bool(odds(replace(stocks, weight=np.where(own, stocks.weight, 0.0)))[0, 1] > 0)


def _first(gain: Floats, top: Floats, name: Ints) -> tuple[int, int]:
    """Slots of the pair with the largest gain; of equals the one whose later part came to be first."""
    rows = np.flatnonzero(top == top.max())
    x, y = np.nonzero(gain[rows] == top.max())
    x = rows[x]
    first = np.lexsort((np.minimum(name[x], name[y]), np.maximum(name[x], name[y])))[0]
    return int(x[first]), int(y[first])


class _State:
    """Counts of the parts so far, one entry a part and token; a part keeps the slot of one of its communities."""

    def __init__(self, stocks: Stocks) -> None:
        rows = stocks.rows.tocsr()
        self.stocks = stocks
        self.slot = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        self.token, self.count = rows.indices.astype(np.int64), rows.data.astype(np.float64)
        self.total = np.zeros((rows.shape[0], len(stocks.theta)))
        np.add.at(self.total, (self.slot, stocks.view[self.token]), self.count)
        self.mine = np.zeros(rows.shape[1])

    def gains(self, slot: int) -> Floats:
        """Log odds that the part in `slot` and each other have one stock and not two, [C]."""
        stocks = self.stocks
        own = self.slot == slot
        self.mine[self.token[own]] = self.count[own]
        some = self.mine[self.token] > 0
        t, y = self.token[some], self.count[some]
        x, base = self.mine[t], stocks.base[t]
        self.mine[self.token[own]] = 0.0
        shared = gammaln(x + y + base) + gammaln(base) - gammaln(x + base) - gammaln(y + base)
        of_tokens = np.bincount(self.slot[some], stocks.weight[stocks.view[t]] * shared, minlength=len(self.total))
        m, n, theta = self.total[slot], self.total, stocks.theta
        of_sizes = gammaln(m + n + theta) + gammaln(theta) - gammaln(m + theta) - gammaln(n + theta)
        return np.asarray(of_tokens - of_sizes @ stocks.weight)

    def join(self, keep: int, gone: int) -> None:
        """Put the part in slot `gone` into that in `keep`."""
        both = (self.slot == keep) | (self.slot == gone)
        token, place = np.unique(self.token[both], return_inverse=True)
        count = np.bincount(place, self.count[both])
        self.slot = np.concatenate([self.slot[~both], np.full(len(token), keep)])
        self.token, self.count = np.concatenate([self.token[~both], token]), np.concatenate([self.count[~both], count])
        self.total[keep] += self.total[gone]
        self.total[gone] = 0.0
