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

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import gammaln

from stillwatch.linking import scores
from stillwatch.linking.fdr import q_values
from stillwatch.linking.matrix import Floats, Ints
from stillwatch.linking.null import Null

MOST = 600.0
"""Most nats of one node: exp stays a number."""
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
    near: Floats = field(default_factory=lambda: np.empty(0))
    """Of each member how far it leans the members' way in what it asks, typically 1, [members]; empty if not known."""
    price: float = 0.0
    """Nats that its evidence of one hand must pay (`sources.Source`)."""

    def only(self, some: np.ndarray) -> Group:
        """Those of its members that are flagged, [members]."""
        near = self.near[some] if len(self.near) else self.near
        kept = {"members": self.members[some], "member_log_p": self.member_log_p[some], "proven": self.proven[some]}
        return replace(self, near=near, **kept)


def family_log_e(null: Null, members: Ints, order: Ints) -> Floats:
    """Prequential log e of a group: all families together, then each alone, [1 + families].

    `order` ranks all nodes; members go in by rank, in blocks that double: 1 | 1 | 2 | 4 | 8 ...
    """
    return together(scores.one_by_one(null, members[np.argsort(order[members], kind="stable")]))


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
    return scores.everybody(null, members)


def against(null: Null, members: Ints, nodes: Ints) -> tuple[Floats, Floats]:
    """log p [nodes], and log e of all families and of each [nodes, 1 + families], against the group `members`."""
    return scores.against(null, members, nodes)


def compatible(application: Ints, members: Ints) -> np.ndarray:
    """Which nodes use an application that the group uses too (at least two members and one in fifty), [N]."""
    mine = application[members]
    codes, count = np.unique(mine[mine >= 0], return_counts=True)
    return np.isin(application, codes[count >= max(2, 0.02 * len(members))])


def mostly_inside(small: Ints, large: Ints) -> bool:
    """At least half of the first's members are the second's too."""
    return 2 * len(np.intersect1d(small, large)) >= len(small)


def merged(a: Group, b: Group) -> Group:
    """Members of both, each with the better of its log p.

    At the price of the cheaper one if that holds most of them (it was found without the search), else of the dearer.
    """
    members = np.union1d(a.members, b.members)
    log_p = np.zeros(len(members))
    for group in (a, b):
        place = np.searchsorted(members, group.members)
        log_p[place] = np.minimum(log_p[place], group.member_log_p)
    cheap, dear = sorted((a, b), key=lambda group: group.price)
    price = cheap.price if 2 * len(cheap.members) >= len(members) else dear.price
    return Group(members, log_p, np.ones(len(members), dtype=bool), price=price)


def overlapping(found: Sequence[Group]) -> list[Group]:
    """The groups, the largest first, each with those that are mostly inside it."""
    out: list[Group] = []
    for group in sorted(found, key=lambda g: (-len(g.members), int(g.members[0]))):
        place = next((k for k, whole in enumerate(out) if mostly_inside(group.members, whole.members)), None)
        if place is None:
            out.append(group)
        else:
            out[place] = merged(out[place], group)
    return out


def owners(nodes: int, found: Sequence[Group]) -> list[np.ndarray]:
    """Which members each group keeps, [members] each.

    A node of several goes to the one whose way it leans most, else to the first.
    """
    best, owner = np.full(nodes, -np.inf), np.full(nodes, -1, dtype=np.int64)
    for place, group in enumerate(found):
        near = group.near if len(group.near) else np.full(len(group.members), -1.0)
        better = near > best[group.members]
        mine = group.members[better]
        best[mine], owner[mine] = near[better], place
    return [owner[group.members] == place for place, group in enumerate(found)]


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
    # codes are as many as there are templates, and few are of members: counting them all took a quarter of `refine`
    names, mine = np.unique(application[proven & (application >= 0)], return_counts=True)
    names, mine = names[mine >= 5], mine[mine >= 5]
    if not len(names):
        return np.zeros(len(application), dtype=bool)
    place = np.minimum(np.searchsorted(names, application), len(names) - 1)
    users = names[place] == application
    whole = mine >= TAKEN_OVER * np.bincount(place[users], minlength=len(names))
    return np.asarray(users & whole[place])
