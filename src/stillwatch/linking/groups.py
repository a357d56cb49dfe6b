"""The group scan: what is weak for a pair is strong for a hundred.

Two statements are kept apart.

*This member is proven.* Each token gets the log ratio of its popularity among the other members (leave one out) and
under the null; a node's score is compound Poisson again, and Chernoff's bound gives p. The nodes that share the group's
application are one family of tests and all others a second: content narrows the search, it never is the evidence.

*The group exists.* Its members, in an order that the log does not know, are scored against those before them only. So
each factor 1 + stake (exp(theta S - cost) - 1) has mean at most one given the past, their product is an e-value of the
whole group, and so is its mean over `STAKES` (betting; Waudby-Smith and Ramdas 2024): who shares nothing costs no more
than that mean, so a ring with an address an account still has its cards. A union bound of log C(N, n) + log N makes it
valid for any way of searching for groups. (The sum of w_a (k_a - 1)+ with a closed-form bound was tried first: blind
to a ring that holds a large part of its tokens, whose weights are then small.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numba as nb
import numpy as np
from scipy.special import gammaln

from stillwatch.linking.fdr import q_values
from stillwatch.linking.matrix import Floats, Ints
from stillwatch.linking.null import Null

MEMBER_THETAS = np.array([0.15, 0.3, 0.5, 0.75, 1.0])
CAP = 8.0
"""Most nats that one token adds to a member's score."""
MOST = 600.0
"""Most nats of one node: exp stays a number."""
TWICE = 2.0
"""A token speaks for membership when it is this many times as popular in the group as under the null."""
TAKEN_OVER = 0.5
"""Share of an application's users that must be proven before the rest are taken for members."""
ROUNDS = 4
STAKES = np.array([0.0, 0.02, 0.1, 0.5])
"""Parts of the capital that are bet on each next member; 0 bets nothing and loses nothing."""


@dataclass(frozen=True)
class Group:
    """Nodes found together."""

    members: Ints
    member_log_p: Floats
    proven: np.ndarray
    """Of each member, [members]."""
    hand_log_p: float = float("nan")
    """Log p that no one hand holds them, from what is left when the strongest family of views is set aside."""
    means_log_p: float = float("nan")
    """Log p that people with one place and no more hold them (`means`)."""
    price: float = 0.0
    """Nats that its evidence of one hand must pay (`sources.Source`)."""

    def only(self, some: np.ndarray) -> Group:
        """Those of its members that are flagged, [members]."""
        return replace(self, members=self.members[some], member_log_p=self.member_log_p[some], proven=self.proven[some])


def means(null: Null, members: Ints) -> Floats:
    """mu_a = sum over members of d_i r_a(i), [A]."""
    shared = null.shared
    volume = shared.volume[members]
    out = shared.share() * volume.sum(axis=0)[shared.view]
    for column in range(2):
        strata = null.more.member[members, column]
        for s in np.unique(strata[strata > 0]):
            row = null.more.excess[[s]]
            mine = volume[strata == s].sum(axis=0)
            out[row.indices] += row.data * mine[shared.view[row.indices]]
    return out


def holders(null: Null, members: Ints) -> Floats:
    """k_a: members that hold each token, [A]."""
    rows = null.shared.rows[members]
    return np.bincount(rows.indices, minlength=rows.shape[1]).astype(np.float64)


def family_log_e(null: Null, members: Ints, order: Ints) -> Floats:
    """Prequential log e of a group: all families together, then each alone, [1 + families].

    `order` ranks all nodes; members go in by rank, in blocks that double: 1 | 1 | 2 | 4 | 8 ...
    """
    ranked = members[np.argsort(order[members], kind="stable")]
    families = 2 + int(null.shared.family.max(initial=-1))
    blocks, seen = [np.zeros((0, families))], 1
    while seen < len(ranked):
        blocks.append(against(null, ranked[:seen], ranked[seen : 2 * seen])[1])
        seen *= 2
    return together(np.concatenate(blocks))


def together(log_e: Floats) -> Floats:
    """log e of all rows together, [K], from those of each, [n, K]: products at each of `STAKES`, averaged."""
    capital = np.stack([np.log1p(stake * np.expm1(np.minimum(log_e, MOST))).sum(axis=0) for stake in STAKES])
    return np.asarray(np.logaddexp.reduce(capital, axis=0) - np.log(len(STAKES)))


def union_bound(n: int, nodes: int) -> float:
    """log C(N, n) + log N: the price of having searched all groups of all sizes."""
    return float(gammaln(nodes + 1) - gammaln(n + 1) - gammaln(nodes - n + 1) + np.log(nodes))


def corroboration(control: Floats, content: Floats) -> float:
    """log e of what is left when the strongest control family is set aside: the mean of the other families' e-values.

    Neighbours of one small carrier share addresses and nothing else; the search went after the strongest family, so
    what the others say owes nothing to the search.
    """
    rest = np.concatenate([np.sort(control[1:])[:-1], content[1:]])
    return float(np.logaddexp.reduce(rest) - np.log(len(rest))) if len(rest) else 0.0


def support(null: Null, members: Ints, nodes: Ints) -> float:
    """log e that `nodes`, together, share what the group `members` shares."""
    return float(together(against(null, members, nodes)[1])[0])


def member_log_p(null: Null, members: Ints) -> Floats:
    """log p of every node against the group, leave-one-out for members, [N]; 0 where nothing is shared."""
    return against(null, members, np.arange(null.shared.nodes))[0]


def against(null: Null, members: Ints, nodes: Ints) -> tuple[Floats, Floats]:
    """log p [nodes], and log e of all families and of each [nodes, 1 + families], against the group `members`."""
    shared = null.shared
    inside = np.zeros(shared.nodes, dtype=bool)
    inside[members] = True
    k, mu = holders(null, members), means(null, members)
    volume = shared.volume[members].sum(axis=0)
    rate = mu / np.maximum(volume, 1e-9)[shared.view]
    base, cross = _costs(null, k, rate, volume)
    rows = shared.rows
    return _members(
        rows.indptr, rows.indices, shared.view, shared.volume, shared.family, null.more.member, nodes, inside,
        k, rate, volume, base, cross, MEMBER_THETAS, CAP, TWICE,
    )  # fmt: skip


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


@nb.njit(cache=True)
def _members(  # type: ignore[no-untyped-def]
    indptr, indices, view, volume, family, strata, nodes, inside, k, rate, group_volume, base, cross, thetas, cap, twice
):
    V = len(group_volume)
    F = family[-1] + 1 if V else 0
    log_p, log_e = np.zeros(len(nodes)), np.zeros((len(nodes), 1 + F))
    score = np.zeros(V)
    for n in range(len(nodes)):
        i = nodes[n]
        score[:] = 0.0
        for x in range(indptr[i], indptr[i + 1]):
            a = indices[x]
            v = view[a]
            others, rest = k[a], group_volume[v]
            if inside[i]:
                others -= 1.0
                rest -= volume[i, v]
            if others > 0 and others / (rest * rate[a]) >= twice:
                score[v] += min(np.log(others / (rest * rate[a])), cap)
        log_p[n] = _bound(i, score, volume, family, strata, group_volume, base, cross, thetas, log_e[n])
    return log_p, log_e


@nb.njit(cache=True)
def _bound(i, score, volume, family, strata, group_volume, base, cross, thetas, log_e):  # type: ignore[no-untyped-def]
    """Chernoff's log p with the best view of each family; `log_e` gets log of the mean over theta of exp(...)."""
    V, H = len(score), len(thetas)
    best = 0.0
    log_e[:] = 0.0
    for h in range(H):
        total, v = 0.0, 0
        while v < V:
            least, n, f = np.inf, 0, family[v]
            while v < V and family[v] == f:
                if volume[i, v] > 0 and group_volume[v] > 0:
                    n += 1
                    cost = base[v, h]
                    for s in strata[i]:
                        if s > 0:
                            cost += cross[v, s, h]
                    least = min(least, volume[i, v] * cost - thetas[h] * score[v])
                v += 1
            if n > 0:
                total += least + np.log(n)
                log_e[1 + f] += np.exp(min(-least - np.log(n), 600.0)) / H
            else:
                log_e[1 + f] += 1.0 / H
        best = min(best, total)
        log_e[0] += np.exp(min(-total, 600.0)) / H
    for f in range(len(log_e)):
        log_e[f] = np.log(log_e[f])
    return best


def compatible(application: Ints, members: Ints) -> np.ndarray:
    """Which nodes use an application that the group uses too (at least two members and one in fifty), [N]."""
    mine = application[members]
    codes, count = np.unique(mine[mine >= 0], return_counts=True)
    return np.isin(application, codes[count >= max(2, 0.02 * len(members))])


def refine(null: Null, application: Ints, start: Ints, fdr: float, weak: float) -> Group | None:
    """Drop members that the others do not support and add those whom they do, until nothing changes."""
    members = start
    for _ in range(ROUNDS):
        log_p = member_log_p(null, members)
        content = compatible(application, members)
        proven = np.zeros(len(log_p), dtype=bool)
        for family in (content, ~content):
            proven[family] = q_values(log_p[family], float(family.sum())) <= fdr
        inside = np.zeros(len(log_p), dtype=bool)
        inside[members] = True
        # weaker evidence is enough for a node that was found with the group and does the same work
        keep = proven | (inside & content & (log_p <= weak)) | _taken_over(application, proven)
        new = np.flatnonzero(keep)
        if len(new) < 2:
            return None
        if np.array_equal(new, members):
            break
        members = new
    return Group(members, log_p[members], proven[members])


def cohesive(null: Null, group: Group, clump: Ints, fdr: float) -> Group | None:
    """The group without those clumps that only their own members speak for; `clump` is a code of each node, [N].

    Leaving one out cannot tell four households from one ring of fifteen: each member has its own household. So each
    clump (nodes joined by links of their own) is scored against the group without it.
    """
    codes = clump[group.members]
    names, count = np.unique(codes, return_counts=True)
    keep = np.ones(len(group.members), dtype=bool)
    for name in names[count >= 2]:
        mine = codes == name
        if mine.all():
            continue
        log_e = support(null, group.members[~mine], group.members[mine])
        if log_e < np.log(len(names) / fdr):
            keep[mine] = False
    if keep.all():
        return group
    if keep.sum() < 2:
        return None
    left = group.members[keep]
    return Group(left, member_log_p(null, left)[left], group.proven[keep])


def _taken_over(application: Ints, proven: np.ndarray) -> np.ndarray:
    """Nodes of an application most of whose users are proven members: its few others are members, unproven."""
    known = application >= 0
    users = np.bincount(application[known])
    mine = np.bincount(application[known & proven], minlength=len(users))
    whole = (mine >= 5) & (mine >= TAKEN_OVER * users)
    return known & whole[np.maximum(application, 0)] if len(whole) else known
