"""Which sources of text are in one hand: content finds the group, control has to prove the hand.

The group was found by what its accounts ask, so nothing was searched among addresses, cards and sign-ups: what they
share beyond popularity needs no price for the search. Two statements are demanded, each at the false-discovery rate
over all sources: all families of control evidence together, and what is left of them when the strongest is set aside
(neighbours of one carrier share addresses and nothing else; customers of one mail provider share that). Users of one
application pass neither test, however many they are: their households do not make a hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from stillwatch.linking import groups
from stillwatch.linking.fdr import q_values
from stillwatch.linking.matrix import Floats, Ints
from stillwatch.linking.null import Null
from stillwatch.linking.sources import LEAST, Source

ORDERS = 4
"""Of large sources; of those below `FEW` members, whose evidence depends most on the order, four times as many."""
FEW = 200
RENTED = "network"
"""Family of views that strangers rent from one owner."""
CORROBORATION = 0.05
"""False-discovery rate of the second statement; the first is at the rate of the settings."""


def in_one_hand(control: Null, found: Sequence[Source], rank: Ints, fdr: float) -> list[groups.Group]:
    """Those sources that one hand holds, the largest first; `rank` orders all nodes at random, [N].

    Sources come at several resolutions and from several finders, so they overlap. They are taken from the smallest to
    the largest: one that holds smaller ones which passed is one hand as far as these share what the largest of them
    shares, and as far as what it has beyond them passes as well or shares it too; else two campaigns with one kind of
    question, or strangers around a campaign, would be one.
    """
    tested = np.array([_tests(control, source.members, rank) for source in found]).reshape(-1, 2)
    size = float(len(found))
    good = (q_values(tested[:, 0], size) <= fdr) & (q_values(tested[:, 1], size) <= CORROBORATION)
    passed = sorted(np.flatnonzero(good).tolist(), key=lambda k: (len(found[k].members), found[k].members.tolist()))
    limits = np.log(np.array([fdr, CORROBORATION]) / max(size, 1.0))
    out: list[groups.Group] = []
    for k in passed:
        whole = _group(found[k])
        parts = [group for group in out if _mostly_inside(group.members, whole.members)]
        if not parts:
            out.append(whole)
            continue
        core = max(parts, key=lambda g: (len(g.members), -int(g.members[0])))
        level = np.log(CORROBORATION / max(len(parts) - 1, 1))
        mine = [p for p in parts if p is core or _one_hand(control, core.members, p.members, level)]
        rest = np.setdiff1d(whole.members, np.concatenate([p.members for p in parts]))
        merged = reduce(_together, mine)
        if (
            len(rest) < LEAST
            or (_tests(control, rest, rank) <= limits).all()
            or groups.support(control, merged.members, rest) >= -np.log(fdr)
        ):
            merged = _together(merged, _only(whole, np.concatenate([rest, merged.members])))
        out = [group for group in out if not any(group is p for p in mine)] + [merged]
    return [_priced(control, group, rank, size) for group in _joined(control, out, float(limits[0]))]


def _priced(control: Null, group: groups.Group, rank: Ints, tested: float) -> groups.Group:
    """The group with the second statement about it, at Bonferroni's price for all sources that were tested."""
    log_p = min(float(_tests(control, group.members, rank)[1] + np.log(max(tested, 1.0))), 0.0)
    return groups.Group(group.members, group.member_log_p, group.proven, log_p)


def _one_hand(control: Null, core: Ints, part: Ints, level: float) -> bool:
    """The part overlaps the core, or its members beyond it share what the core shares, at log p `level`.

    What they share of networks does not count: two operators may rent one proxy network and stay two.
    """
    rest = np.setdiff1d(part, core)
    if 2 * len(rest) <= len(part):
        return True
    log_e = groups.against(control, core, rest)[1].sum(axis=0)[1:]
    rented = {
        int(f) for f, view in zip(control.shared.family, control.shared.views, strict=True) if view.family == RENTED
    }
    return float(np.delete(log_e, sorted(rented)).sum()) >= -level


def _only(group: groups.Group, nodes: Ints) -> groups.Group:
    keep = np.isin(group.members, nodes)
    return groups.Group(group.members[keep], group.member_log_p[keep], group.proven[keep])


def _joined(control: Null, parts: list[groups.Group], level: float) -> list[groups.Group]:
    """Parts of one hand put together, the largest first: what one shares, the other's remaining members share too."""
    out: list[groups.Group] = []
    for part in sorted(parts, key=lambda g: (-len(g.members), int(g.members[0]))):
        for place, whole in enumerate(out):
            if _one_hand(control, whole.members, part.members, level):
                out[place] = _together(whole, part)
                break
        else:
            out.append(part)
    return out


def _together(a: groups.Group, b: groups.Group) -> groups.Group:
    """Members of both, each with the better of its log p."""
    members = np.union1d(a.members, b.members)
    log_p = np.zeros(len(members))
    for group in (a, b):
        place = np.searchsorted(members, group.members)
        log_p[place] = np.minimum(log_p[place], group.member_log_p)
    return groups.Group(members, log_p, np.ones(len(members), dtype=bool))


def _tests(control: Null, members: Ints, rank: Ints) -> Floats:
    """log p of both statements, [2], from e-values averaged over `ORDERS` orders of the members."""
    orders = ORDERS if len(members) >= FEW else 4 * ORDERS
    logs = np.empty((orders, 2))
    for k in range(orders):
        order = rank if k == 0 else np.random.default_rng(k).permutation(len(rank))[rank]
        log_e = groups.family_log_e(control, members, order)
        # families are independent under the null, so their e-values multiply; the strongest is set aside
        logs[k] = log_e[0], log_e[1:].sum() - log_e[1:].max()
    mean: Floats = np.logaddexp.reduce(logs, axis=0) - np.log(orders)
    return np.minimum(-mean, 0.0)


def _mostly_inside(small: Ints, large: Ints) -> bool:
    """At least half of the first's members are the second's too."""
    return 2 * len(np.intersect1d(small, large)) >= len(small)


def _group(source: Source) -> groups.Group:
    return groups.Group(source.members, source.log_p, np.ones(len(source.members), dtype=bool))
