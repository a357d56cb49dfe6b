"""Which pairs are worth testing, without a cap on popularity.

All pairs in tokens of at most `SMALL` nodes. In larger tokens only neighbours under a few random orders of the nodes,
the same orders for every token: a ring that dominates its tokens becomes a connected, nearly regular graph, while
popular tokens cost O(holders). Pairs that are not drawn count as p = 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from stillwatch.linking.matrix import Ints
from stillwatch.linking.null import Null, large

SMALL = 64


def orders(names: Sequence[str], count: int, seed: int) -> list[Ints]:
    """`count` random orders of the nodes: by a keyed hash of their names, so rows may come in any order."""
    digests = [hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest() for name in names]
    key = np.frombuffer(b"".join(digests), dtype=np.uint64)
    rng = np.random.default_rng(seed)
    factors = rng.integers(1, 2**63, count, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    with np.errstate(over="ignore"):
        mixed = [((key * factor) ^ ((key * factor) >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9) for factor in factors]
    return [np.argsort(m, kind="stable").astype(np.int64) for m in mixed]


def neighbours(null: Null, of: Sequence[Ints]) -> tuple[Ints, Ints]:
    """Pairs i < j that are neighbours in a large token under one of the orders; as indptr [N + 1] and j."""
    shared = null.shared
    columns = shared.rows[:, large(shared, null.weights, SMALL)]
    keys = []
    for order in of:
        sorted_columns = columns[order].tocsc()
        sorted_columns.sort_indices()
        nodes = order[sorted_columns.indices]
        token = np.repeat(np.arange(columns.shape[1]), np.diff(sorted_columns.indptr))
        same = token[1:] == token[:-1]
        a, b = nodes[:-1][same], nodes[1:][same]
        keys.append(np.unique(np.minimum(a, b) * shared.nodes + np.maximum(a, b)))
    pairs = np.unique(np.concatenate(keys)) if keys else np.empty(0, np.int64)
    first = pairs // max(shared.nodes, 1)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(first, minlength=shared.nodes))]).astype(np.int64)
    return indptr, pairs % max(shared.nodes, 1)
