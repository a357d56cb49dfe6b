"""Who belongs to a hand: each member is looked at again, by three kinds of evidence that fail differently.

Rare words take in people who use the same library of templates; embeddings take in people with few events; shared
traits take in people at whose home a proxy stands. Measured on a campaign with half cover traffic: eleven honest
accounts beside 128 members, every one of them by a single kind. So a member needs two kinds, or an embedding that is
far beyond chance; and what was missed joins with two kinds of which one is control.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.stats import norm

from stillwatch.linking import embeddings, groups
from stillwatch.linking.fdr import q_values
from stillwatch.linking.matrix import Floats
from stillwatch.linking.null import Null
from stillwatch.linking.sources import LEAST, membership

CERTAIN = float(norm.logsf(6.0))
"""Log p from which an embedding needs no second kind of evidence."""


def review(
    control: Null,
    words: tuple[sp.csr_matrix, Floats],
    where: embeddings.Points | None,
    group: groups.Group,
    allowed: np.ndarray,
    fdr: float,
) -> groups.Group | None:
    """The group with its members looked at again; None if fewer than `LEAST` are left.

    A log without embeddings leaves two kinds, and one is enough for whoever was found. `words` are `sources.tokens`;
    `allowed` says who may join, [N].
    """
    nodes = control.shared.nodes
    by_words = membership(*words, group.members)[0] if words[0].shape[1] else np.zeros(nodes)
    by_embedding = _embedded(where, group, nodes)
    by_control = groups.member_log_p(control, group.members)
    kinds = np.stack([q_values(log_p, float(nodes)) <= fdr for log_p in (by_words, by_embedding, by_control)])
    inside = np.zeros(nodes, dtype=bool)
    inside[group.members] = True
    needed = 2 if where is not None else 1
    stays = inside & ((kinds.sum(axis=0) >= needed) | (by_embedding <= CERTAIN))
    joins = ~inside & allowed & kinds[2] & (kinds[0] | kinds[1])
    members = np.flatnonzero(stays | joins)
    if len(members) < LEAST:
        return None
    log_p = np.minimum(np.minimum(by_words, by_embedding), by_control)[members]
    return groups.Group(members, log_p, np.ones(len(members), dtype=bool), group.hand_log_p)


def _embedded(where: embeddings.Points | None, group: groups.Group, nodes: int) -> Floats:
    """Log p of every node's embedding against the group's, 0 where it has none, [N]."""
    out = np.zeros(nodes)
    if where is not None:
        place = np.flatnonzero(np.isin(where.nodes, group.members))
        if len(place) >= 2:
            out[where.nodes] = embeddings.tail(embeddings.towards(where.unit, place), place)
    return out
