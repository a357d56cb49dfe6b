"""Sources that control evidence points at: a few accounts that share what strangers do not, and who asks as they do.

Where a ring asks what everybody asks, its accounts are no community of text, but a third of them share cards or exits
beyond doubt. Communities of weak control links are reduced to those members whom the others support (`groups.refine`),
and such a core is where a source by embedding and manner begins (`embeddings.refine`). The core was searched among all
groups by control evidence, so it must exist at the union bound's price, and what is found from it pays that price again
when it is tested for being one hand.
"""

from __future__ import annotations

import numpy as np

from stillwatch.linking import embeddings, groups
from stillwatch.linking.communities import leiden, strongest
from stillwatch.linking.fdr import q_values
from stillwatch.linking.matrix import Floats, Ints
from stillwatch.linking.null import Null
from stillwatch.linking.pairs import Pairs
from stillwatch.linking.shards import ALONE, Threads
from stillwatch.linking.sources import LEAST, Source, communities

RESOLUTIONS = (1.0, 6.0)
"""Of Leiden."""
WEAK_EDGES = 64
"""Weak links kept of each node, the strongest."""
CORE = 8
"""Least members of a core."""


def by_control(
    control: Null,
    weak: Pairs,
    where: embeddings.Points,
    of: Ints,
    clump: Ints,
    rank: Ints,
    fdr: float,
    seed: int,
    threads: Threads = ALONE,
) -> list[Source]:
    """Sources that begin with a core, each with its price.

    `weak` are pairs with any control evidence; `of` is each node's application (-1 none), `clump` a code of nodes that
    are linked with each other, `rank` a random order: [N] each.
    """
    nodes = control.shared.nodes
    weight = -weak.log_p
    keep = strongest(nodes, weak.a, weak.b, weight, WEAK_EDGES)
    starts = [
        members
        for gamma in RESOLUTIONS
        for members in communities(leiden(nodes, weak.a[keep], weak.b[keep], weight[keep], gamma, seed))
        if len(members) >= CORE
    ]
    found: dict[tuple[int, ...], Source] = {}
    for core in _cores(control, starts, of, clump, rank, fdr, threads):
        place = np.flatnonzero(np.isin(where.nodes, core))
        refined = embeddings.refine(where.unit, place, fdr, LEAST) if len(place) >= LEAST else None
        if refined is not None:
            members = where.nodes[refined[0]]
            price = groups.union_bound(len(core), nodes)
            found.setdefault(tuple(members.tolist()), Source(members, refined[1], price))
    return list(found.values())


def _cores(
    control: Null, starts: list[Ints], of: Ints, clump: Ints, rank: Ints, fdr: float, threads: Threads
) -> list[Ints]:
    """Those starts that exist as a group at the price of the search, reduced to members whom the others support."""

    def core(start: Ints) -> tuple[Ints, float] | None:
        group = groups.refine(control, of, start, fdr, np.log(fdr))
        group = groups.cohesive(control, group, clump, fdr) if group is not None else None
        if group is None or len(group.members) < CORE:
            return None
        evidence: Floats = groups.family_log_e(control, group.members, rank)
        return group.members, groups.union_bound(len(group.members), control.shared.nodes) - float(evidence[0])

    found = [one for one in threads.each(core, starts) if one is not None]
    good = q_values(np.array([log_p for _, log_p in found]), float(max(len(starts), 1))) <= fdr
    return [members for (members, _), exists in zip(found, good, strict=True) if exists]
