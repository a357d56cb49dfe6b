"""SynchroTrap (Cao et al. 2014), written from the paper: loosely synchronised actions on the same objects, by Jaccard.

An action is (account, object, time). Two accounts' actions match if their object is the same and their times lie in one
slot of `window` seconds, which stands for comparing times pair by pair. Over all objects the similarity of two accounts
is sum |A_i and A_j| / sum |A_i or A_j|; groups are single linkage. To bound the work, an (object, slot) of more than
MOST accounts is no evidence of anything and is left out of what matches.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from benchmarks.peers.answer import Answer, Floats, Ints, linked
from benchmarks.peers.world import objects, read
from scipy.sparse import csr_matrix, triu

MOST = 300
LEAST_SHARED = 2
"""Actions that must match before a pair is looked at: two accounts with one action each prove nothing."""


def look(world: Path, *, shared: str = "opening", window: int = 3600) -> Answer:
    """shared: a view of events that names the object, or `both`. window: seconds."""
    log = read(world)
    views = ("opening", "address") if shared == "both" else (shared,)
    actions: set[tuple[int, tuple[str, str, int]]] = set()
    slots = (log.time // window).astype(np.int64).tolist()
    for view in views:
        rows = zip(log.account.tolist(), objects(log, view), slots, strict=True)
        actions.update((account, (view, value, slot)) for account, value, slot in rows if value)
    number: dict[tuple[str, str, int], int] = {}
    pairs = [(account, number.setdefault(key, len(number))) for account, key in sorted(actions)]
    account, action = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    return linked(log.accounts, *similarity(account, action, len(log.accounts)))


def similarity(account: Ints, action: Ints, n: int) -> tuple[Ints, Ints, Floats]:
    """Pairs and their Jaccard similarity, from distinct (account, action) pairs."""
    own = np.bincount(account, minlength=n)
    keep = np.bincount(action)[action] <= MOST
    matrix = csr_matrix(
        (np.ones(int(keep.sum()), np.int32), (account[keep], action[keep])), shape=(n, int(action.max()) + 1)
    )
    both = triu(matrix @ matrix.T, k=1).tocoo()
    chosen = both.data >= LEAST_SHARED
    a, b, shared = both.row[chosen].astype(np.int64), both.col[chosen].astype(np.int64), both.data[chosen]
    return a, b, shared / (own[a] + own[b] - shared)
