"""Means: cards, phones, credentials and conversations that members of a group have in common.

A class, a campus or a café shares a place: addresses, mail, the hour of sign-up, the machines. It does not share cards.
So the share of members that have such a thing in common with another member tells people under one roof from one hand.
Null: as many as of the log's other accounts share one with anybody at all (households, desks); binomial.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

from stillwatch.linking.matrix import Incidence, Ints

FAMILIES = frozenset({"payment", "phone", "key", "continuation"})
LEAST = 20
"""Members from which it says something: a team pays with one card."""


def means_log_p(shared: Incidence, members: Ints) -> float:
    """Log p of so many sharing, for a group of `LEAST` or more; 0 for smaller ones."""
    if len(members) < LEAST or len(members) == shared.nodes:
        return 0.0
    mine = np.array([view.family in FAMILIES for view in shared.views], dtype=bool)[shared.view]
    if not mine.any():
        return 0.0
    tokens = shared.rows[:, np.flatnonzero(mine)]
    inside = np.bincount(tokens[members].indices, minlength=tokens.shape[1]) > 1
    anywhere = np.bincount(tokens.indices, minlength=tokens.shape[1]) > 1
    sharing = int(((tokens[members] @ inside.astype(np.int64)) > 0).sum())
    outside = np.ones(shared.nodes, dtype=bool)
    outside[members] = False
    others = (tokens[np.flatnonzero(outside)] @ anywhere.astype(np.int64)) > 0
    return float(binom.logsf(sharing - 1, len(members), (others.sum() + 1) / (len(others) + 2)))
