"""Accounts of no group that ask in a group's own words beyond all doubt: they are the last to come in.

`members` lets nobody in whose embedding leans the members' way by less than a third as far as theirs do: two campaigns
that share a library of templates would mix. Of whoever no group has in the end, that is not to be feared. A harvest's
first account, which probed and asked other things before, is of this kind, and so are accounts of few events.

Their words must be as certain as a pair of accounts out of all pairs would have to be, as large a part as of the
others', and the embedding must lean the group's way at the false-discovery rate. Groups stay what they are but for who
comes in: nobody is proven, and no hand, by people who came for their words.

Measured: 90 of the 98 accounts that a whole log of 25 million events had missed come in. On all saved states of the
rules of `members` (15 worlds and days) 62 come in on that log's fourth day, 78 on its third, 4 of 15 where a ring had
probed first, and beside rings nobody honest but two owners of stolen keys, whose accounts do hold the harvest. Without
the embedding it would be an application's user in three worlds, who shared a library (log p of its words -42 to -63).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from stillwatch.linking import embeddings, groups, members
from stillwatch.linking.matrix import Floats
from stillwatch.linking.null import Null


def joined(
    control: Null,
    words: tuple[sp.csr_matrix, Floats],
    where: embeddings.Points | None,
    found: Sequence[groups.Group],
    allowed: np.ndarray,
    fdr: float,
) -> list[groups.Group]:
    """The groups with their strays, each in the group whose words it has most surely; as given without embeddings.

    `words` are `sources.tokens`; `allowed` flags who may join, [N].
    """
    if where is None or not found:
        return list(found)
    taken = np.zeros(control.shared.nodes, dtype=bool)
    for group in found:
        taken[group.members] = True
    said = [members.evidence(control, words, where, group, fdr, taken) for group in found]
    free = ~taken & allowed
    beyond = 2 * np.log(fdr / control.shared.nodes)
    surely = np.stack([np.where(free & _speaks(one, beyond, fdr), one.by_words, 0.0) for one in said])
    best = np.where(surely.min(axis=0) < 0, surely.argmin(axis=0), -1)
    come = (np.flatnonzero(best == place) for place in range(len(found)))
    return [_with(*each) for each in zip(found, come, said, strict=True)]


def _speaks(said: members.Said, beyond: float, fdr: float) -> np.ndarray:
    return (said.by_words <= beyond) & said.theirs & ~said.unknown & (said.by_embedding <= np.log(fdr))


def _with(group: groups.Group, come: np.ndarray, said: members.Said) -> groups.Group:
    if not len(come):
        return group
    everyone = np.concatenate([group.members, come])
    order = np.argsort(everyone)
    log_p = np.concatenate([group.member_log_p, said.by_words[come]])[order]
    near = np.concatenate([group.near, said.near[come]])[order] if len(group.near) else group.near
    proven = np.concatenate([group.proven, np.ones(len(come), dtype=bool)])[order]
    return replace(group, members=everyone[order], member_log_p=log_p, proven=proven, near=near)
