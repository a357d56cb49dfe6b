"""The group scan in whole arrays over all tokens: the slow twin of the loops in `stillwatch.linking.scores`."""

from __future__ import annotations

import math

import numpy as np

from stillwatch.linking.generic import expected as means
from stillwatch.linking.matrix import Floats, Ints
from stillwatch.linking.null import Null
from stillwatch.linking.scores import CAP, MEMBER_THETAS, TWICE


def holders(null: Null, members: Ints) -> Floats:
    """k_a: members that hold each token, [A]."""
    rows = null.shared.rows[members]
    return np.bincount(rows.indices, minlength=rows.shape[1]).astype(np.float64)


def against(null: Null, members: Ints, nodes: Ints) -> tuple[Floats, Floats]:
    """log p [nodes], and log e of all families and of each [nodes, 1 + families], against the group `members`."""
    shared = null.shared
    inside = np.zeros(shared.nodes, dtype=bool)
    inside[members] = True
    k, mu = holders(null, members), means(null, members)
    volume = shared.volume[members].sum(axis=0)
    rate = mu / np.maximum(volume, 1e-9)[shared.view]
    base, cross = _costs(null, k, rate, volume)
    log_p, log_e = np.zeros(len(nodes)), np.zeros((len(nodes), 2 + int(shared.family.max(initial=-1))))
    for n, i in enumerate(nodes.tolist()):
        score = np.zeros(len(shared.views))
        for a in shared.rows[i].indices.tolist():
            v = shared.view[a]
            others, left = k[a] - inside[i], volume[v] - inside[i] * shared.volume[i, v]
            if others > 0 and others / (left * rate[a]) >= TWICE:
                score[v] += min(math.log(others / (left * rate[a])), CAP)
        log_p[n], log_e[n] = _bound(null, i, score, volume, base, cross)
    return log_p, log_e


def _bound(null: Null, i: int, score: Floats, volume: Floats, base: Floats, cross: Floats) -> tuple[float, Floats]:
    shared = null.shared
    families = 1 + int(shared.family.max(initial=-1))
    by_theta = np.zeros((len(MEMBER_THETAS), families))
    for h, theta in enumerate(MEMBER_THETAS):
        for f in range(families):
            views = [v for v in np.flatnonzero(shared.family == f) if shared.volume[i, v] > 0 and volume[v] > 0]
            costs = [base[v, h] + sum(cross[v, s, h] for s in null.more.member[i] if s > 0) for v in views]
            nats = [theta * score[v] - shared.volume[i, v] * cost for v, cost in zip(views, costs, strict=True)]
            by_theta[h, f] = math.log(len(views)) - np.logaddexp.reduce(nats) if views else 0.0
    log_p = by_theta.sum(axis=1)
    e = np.exp(-np.column_stack([log_p, by_theta])).mean(axis=0)
    return min(0.0, float(log_p.min())), np.log(e)


def _costs(null: Null, k: Floats, rate: Floats, volume: Floats) -> tuple[Floats, Floats]:
    """sum over tokens of r_a (exp(theta omega_a) - 1): by the log's own popularity [V, H], by each excess [V, S, H]."""
    shared = null.shared
    some = np.flatnonzero((k > 0) & (shared.degree > 1))
    omega = _omega(k[some], rate[some], volume[shared.view[some]])
    f = np.expm1(MEMBER_THETAS[:, None] * omega[None, :])
    V, H = len(shared.views), len(MEMBER_THETAS)
    view = shared.view[some]
    base = np.stack([np.bincount(view, weights=shared.share()[some] * row, minlength=V) for row in f], axis=1)
    x = null.more.excess[:, some].tocoo()
    cross = np.zeros((V, null.more.excess.shape[0], H))
    np.add.at(cross, (view[x.col], x.row), x.data[:, None] * f.T[x.col])
    return base.reshape(V, H).astype(np.float64), cross


def _omega(k: Floats, rate: Floats, volume: Floats) -> Floats:
    """log ratio of a token's popularity in the group and under the null; 0 where it is less than `TWICE`."""
    ratio = k / (volume * np.maximum(rate, 1e-300))
    return np.where(ratio >= TWICE, np.minimum(np.log(np.maximum(ratio, 1.0)), CAP), 0.0)
