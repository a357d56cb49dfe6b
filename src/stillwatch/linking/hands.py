"""Which sources of text are in one hand: content finds the group, control has to prove the hand.

The group was found by what its accounts ask, so nothing was searched among addresses, cards and sign-ups: what they
share beyond popularity needs no price for the search. Two statements are demanded, each at the false-discovery rate
over all sources: all families of control evidence together, and what is left of them when the strongest is set aside
(neighbours of one carrier share addresses and nothing else; customers of one mail provider share that). Users of one
application pass neither test, however many they are: their households do not make a hand.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stillwatch.linking import groups
from stillwatch.linking.fdr import q_values
from stillwatch.linking.matrix import Floats, Ints
from stillwatch.linking.null import Null
from stillwatch.linking.sources import LEAST, Source

ORDERS = 4
"""Of large sources; of those below `FEW` members, whose evidence depends most on the order, four times as many."""
FEW = 200
CORROBORATION = 0.05
"""False-discovery rate of the second statement; the first is at the rate of the settings."""


def in_one_hand(control: Null, found: Sequence[Source], rank: Ints, fdr: float) -> list[groups.Group]:
    """Those sources that one hand holds, the largest first; `rank` orders all nodes at random, [N].

    Sources come at several resolutions. Of two that pass, one inside the other, the larger is one hand if what it has
    beyond the smaller passes as well, or shares what the smaller shares; else strangers stand around the smaller.
    """
    tested = np.array([_tests(control, source.members, rank) for source in found]).reshape(-1, 2)
    size = float(len(found))
    good = (q_values(tested[:, 0], size) <= fdr) & (q_values(tested[:, 1], size) <= CORROBORATION)
    passed = sorted(np.flatnonzero(good).tolist(), key=lambda k: (-len(found[k].members), int(found[k].members[0])))
    limits = np.log(np.array([fdr, CORROBORATION]) / max(size, 1.0))
    out: list[int] = []
    for k in passed:
        if any(_inside(found[k], found[other]) for other in out):
            continue
        smaller = [found[j].members for j in passed if j != k and _inside(found[j], found[k])]
        rest = np.setdiff1d(found[k].members, np.concatenate(smaller)) if smaller else np.empty(0, np.int64)
        if (
            len(rest) < LEAST
            or (_tests(control, rest, rank) <= limits).all()
            or groups.support(control, np.unique(np.concatenate(smaller)), rest) >= -limits[0]
        ):
            out.append(k)
    return [_group(found[k]) for k in out]


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


def _inside(small: Source, large: Source) -> bool:
    """At least half of the smaller one's members are the larger one's too."""
    if len(small.members) >= len(large.members):
        return False
    return 2 * len(np.intersect1d(small.members, large.members)) >= len(small.members)


def _group(source: Source) -> groups.Group:
    return groups.Group(source.members, source.log_p, np.ones(len(source.members), dtype=bool))
