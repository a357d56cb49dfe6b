"""Which sources of text are in one hand: content finds the group, control has to prove the hand.

The group was found by what its accounts ask, so nothing was searched among addresses, cards and sign-ups: what they
share beyond popularity needs no price for the search. Two statements are demanded, each at the false-discovery rate
over all sources: all families of control evidence together, and what is left of them when the strongest is set aside
(neighbours of one carrier share addresses and nothing else; customers of one mail provider share that). Users of one
application pass neither test, however many they are: their households do not make a hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np

from stillwatch.linking import groups
from stillwatch.linking.communities import components
from stillwatch.linking.fdr import q_values
from stillwatch.linking.matrix import Floats, Ints
from stillwatch.linking.means import means_log_p
from stillwatch.linking.merging import one_stock
from stillwatch.linking.null import Null
from stillwatch.linking.pairs import Pairs
from stillwatch.linking.shards import ALONE, Threads
from stillwatch.linking.sources import LEAST, Source
from stillwatch.linking.views import RENTED

ORDERS = 4
"""Of large sources; of those below `FEW` members, whose evidence depends most on the order, four times as many."""
FEW = 200
HOUSEHOLD = 5
"""Most accounts that one household or desk has."""
MANY = 20
"""Members, each household counted once, from which households count once in both statements."""
RANDOM = 19
"""Random groups of a size that a group is compared with."""
GRID = 1.25
"""Step of their sizes."""
EACH = float(np.log(2.0))
"""Least evidence a member where one family of views is all there is: a bit; honest communities reach .4."""
CORROBORATION = 0.05
"""False-discovery rate of the second statement; the first is at the rate of the settings."""


@dataclass(frozen=True)
class Shared:
    """What accounts share: the control views, and the pairs that are links of their own."""

    null: Null
    links: Pairs
    rank: Ints
    """Orders all nodes at random, [N]."""
    anybody: dict[int, Floats] = field(default_factory=dict)
    """What random groups share, by size; filled as it is asked for."""
    orders: dict[int, Ints] = field(default_factory=dict)
    """Orders of all nodes made from `rank`, by number; filled as they are asked for."""
    threads: Threads = ALONE

    def order(self, number: int) -> Ints:
        """An order of all nodes, [N]; number 0 is `rank`."""
        if number not in self.orders:
            places = np.random.default_rng(number).permutation(len(self.rank))
            self.orders[number] = places[self.rank] if number else self.rank
        return self.orders[number]


def in_one_hand(shared: Shared, found: Sequence[Source], fdr: float) -> list[groups.Group]:
    """Those sources that one hand holds, the largest first.

    Sources come at several resolutions and from several finders, so they overlap. They are taken from the smallest to
    the largest: one that holds smaller ones which passed is one hand as far as these share what the largest of them
    shares, and as far as what it has beyond them passes as well or shares it too; else two campaigns with one kind of
    question, or strangers around a campaign, would be one.
    """
    paid = shared.threads.each(lambda source: _paid(_tests(shared, source.members), source.price), found)
    tested = np.array(paid).reshape(-1, 2)
    size = float(len(found))
    good = (q_values(tested[:, 0], size) <= fdr) & (q_values(tested[:, 1], size) <= CORROBORATION)
    passed = sorted(np.flatnonzero(good).tolist(), key=lambda k: (len(found[k].members), found[k].members.tolist()))
    limits = np.log(np.array([fdr, CORROBORATION]) / max(size, 1.0))
    out: list[groups.Group] = []
    for k in passed:
        whole = _group(found[k])
        parts = [group for group in out if groups.mostly_inside(group.members, whole.members)]
        if not parts:
            out.append(whole)
            continue
        core = max(parts, key=lambda g: (len(g.members), -int(g.members[0])))
        level = np.log(CORROBORATION / max(len(parts) - 1, 1))
        mine = [p for p in parts if p is core or _one_hand(shared.null, core.members, p.members, level)]
        rest = np.setdiff1d(whole.members, np.concatenate([p.members for p in parts]))
        merged = reduce(groups.merged, mine)
        if (
            len(rest) < LEAST
            or (_tests(shared, rest) <= limits).all()
            or groups.support(shared.null, merged.members, rest) >= -np.log(CORROBORATION)
        ):
            merged = groups.merged(merged, _only(whole, np.concatenate([rest, merged.members])))
        out = [group for group in out if not any(group is p for p in mine)] + [merged]
    return _joined(shared.null, out, float(limits[0]))


def priced(shared: Shared, found: Sequence[groups.Group], tested: int, fdr: float) -> list[groups.Group]:
    """The groups of which both statements hold at Bonferroni's price for all sources `tested`, with the second's log p.

    Their members may have changed since they were found.
    """
    out = []
    for group in found:
        price = group.price + np.log(max(tested, 1))
        log_p = _paid(_tests(shared, group.members), price)
        if log_p[0] <= np.log(fdr) and log_p[1] <= np.log(CORROBORATION):
            means = min(means_log_p(shared.null.shared, group.members) + price, 0.0)
            out.append(replace(group, hand_log_p=float(log_p[1]), means_log_p=float(means)))
    return out


def settled(shared: Shared, found: Sequence[groups.Group], tested: int, fdr: float) -> list[groups.Group]:
    """The groups without each other's members, every one of which still proves its hand; see `priced`.

    A source of strangers that holds a part of a ring proves a hand by that part. Measured: 9 users of an application,
    6 of a class and 2 relays beside 14 of a ring's 81 accounts passed, and 14 of them were accused once those 14 had
    gone to the ring.
    """
    left = list(found)
    while True:
        mine = [group.only(kept) for group, kept in zip(left, groups.owners(len(shared.rank), left), strict=True)]
        stand = [
            group if len(group.members) == len(whole.members) else _still(shared, group, tested, fdr)
            for group, whole in zip(mine, left, strict=True)
        ]
        out = [group for group in stand if group is not None]
        if len(out) == len(left):
            return out
        # whom a group that is none had taken goes back to the others
        left = [whole for whole, group in zip(left, stand, strict=True) if group is not None]


def _still(shared: Shared, group: groups.Group, tested: int, fdr: float) -> groups.Group | None:
    return next(iter(priced(shared, [group], tested, fdr)), None) if len(group.members) >= LEAST else None


def _one_hand(control: Null, core: Ints, part: Ints, level: float) -> bool:
    """The part overlaps the core, or what is beyond it shares what the core shares, at log p `level`, from one stock.

    What they share of networks does not count: two operators may rent one proxy network and stay two. Nor is it enough
    that all of the part share one thing with the core, a mail domain or a client (a class of 203 and a ring of 600,
    two rings with one client): what is drawn from two stocks is in two hands (`merging.one_stock`).
    """
    rest = np.setdiff1d(part, core)
    if 2 * len(rest) <= len(part):
        return True
    log_e = groups.together(groups.against(control, core, rest)[1])[1:]
    rented = {
        int(f) for f, view in zip(control.shared.family, control.shared.views, strict=True) if view.family == RENTED
    }
    return float(np.delete(log_e, sorted(rented)).sum()) >= -level and one_stock(control, core, rest)


def _only(group: groups.Group, nodes: Ints) -> groups.Group:
    return group.only(np.isin(group.members, nodes))


def _joined(control: Null, parts: list[groups.Group], level: float) -> list[groups.Group]:
    """Parts of one hand put together, the largest first: what one shares, the other's remaining members share too."""
    out: list[groups.Group] = []
    for part in sorted(parts, key=lambda g: (-len(g.members), int(g.members[0]))):
        for place, whole in enumerate(out):
            if _one_hand(control, whole.members, part.members, level):
                out[place] = groups.merged(whole, part)
                break
        else:
            out.append(part)
    return out


def _paid(log_p: Floats, price: float) -> Floats:
    """Both statements after the price of the search."""
    return np.minimum(log_p + price, 0.0)


def _tests(shared: Shared, members: Ints) -> Floats:
    """log p of both statements, [2]: all families; and the better of two ways to see through neighbours, twice.

    Either the strongest family is set aside, or each household within the group is one and the others share
    `EACH` on average.
    """
    every, aside = _log_p(shared, members)
    if every > np.log(CORROBORATION):
        return np.array([every, 0.0])
    alone = _without_households(shared, members)
    thinned, thinned_aside = _log_p(shared, alone) if len(alone) >= 2 else (0.0, 0.0)
    # a small ring may be nothing but clumps of cards; a large community of households is not a ring
    aside = thinned_aside if len(alone) >= MANY else aside
    dense = thinned if thinned <= -EACH * len(alone) else 0.0
    second = min(aside, dense)
    if second > np.log(CORROBORATION):
        return np.array([every, 0.0])
    anybody = _of_anybody(shared, len(members))
    return np.minimum(np.array([every - anybody[0], second - anybody[1] + np.log(2)]), 0.0)


def _of_anybody(shared: Shared, size: int) -> Floats:
    """The least log p of both statements among random groups of at least `size` nodes, [2].

    Families are not as independent as the product of their e-values says: who shares a home shares a card. What
    groups of anybody reach is therefore taken off.
    """
    step = int(np.ceil(GRID ** np.ceil(np.log(size) / np.log(GRID))))
    if step not in shared.anybody:
        rng = np.random.default_rng([step, 6])
        drawn = [rng.choice(len(shared.rank), min(step, len(shared.rank)), replace=False) for _ in range(RANDOM)]
        shared.anybody[step] = np.min([_log_p(shared, np.sort(group), 1) for group in drawn], axis=0)
    return shared.anybody[step]


def _without_households(shared: Shared, members: Ints) -> Ints:
    """The members, of each clump of at most `HOUSEHOLD` that are linked with each other only the first."""
    inside = np.zeros(len(shared.rank), dtype=bool)
    inside[members] = True
    a, b = shared.links.a, shared.links.b
    both = inside[a] & inside[b]
    clump = components(len(inside), a[both], b[both])[members]
    size = np.bincount(clump)[clump]
    first = np.zeros(len(members), dtype=bool)
    first[np.unique(clump, return_index=True)[1]] = True
    return members[first | (size > HOUSEHOLD)]


def _log_p(shared: Shared, members: Ints, orders: int = 0) -> Floats:
    """log p of all families, and of all but the strongest, [2], from e-values averaged over orders of the members."""
    orders = orders or (ORDERS if len(members) >= FEW else 4 * ORDERS)
    logs = np.empty((orders, 2))
    for k in range(orders):
        log_e = groups.family_log_e(shared.null, members, shared.order(k))[1:]
        logs[k] = _together(log_e), _together(np.delete(log_e, log_e.argmax()))
    mean: Floats = np.logaddexp.reduce(logs, axis=0) - np.log(orders)
    return np.minimum(-mean, 0.0)


def _together(log_e: Floats) -> float:
    """log e of families together: half their product (they are independent under the null), half their mean.

    Both are e-values (Vovk and Wang 2021). The product is what many families that agree are worth; but families that
    say nothing cost two bits each there, and a small ring has no more than cards and addresses in common.
    """
    if not len(log_e):
        return 0.0
    product, mean = float(log_e.sum()), float(np.logaddexp.reduce(log_e) - np.log(len(log_e)))
    return float(np.logaddexp(product, mean) - np.log(2))


def _group(source: Source) -> groups.Group:
    return groups.Group(source.members, source.log_p, np.ones(len(source.members), dtype=bool), price=source.price)
