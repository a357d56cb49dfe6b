"""Which pairs are worth testing, without a cap on popularity.

All pairs in tokens of at most `SMALL` nodes. In larger tokens only neighbours under a few random orders of the nodes,
the same orders for every token: a ring that dominates its tokens becomes a connected, nearly regular graph, while
popular tokens cost O(holders). Pairs that are not drawn count as p = 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numba as nb
import numpy as np

from stillwatch.linking.matrix import Ints
from stillwatch.linking.null import Null, large

SMALL = 64
MIX = np.uint64(0xBF58476D1CE4E5B9)
"""Odd multiplier of splitmix64 (Steele et al. 2014)."""


def orders(names: Sequence[str], count: int, seed: int) -> list[Ints]:
    """`count` random orders of the nodes: by a keyed hash of their names, so rows may come in any order."""
    digests = [hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest() for name in names]
    key = np.frombuffer(b"".join(digests), dtype=np.uint64)
    rng = np.random.default_rng(seed)
    factors = rng.integers(1, 2**63, count, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    with np.errstate(over="ignore"):
        products = [key * factor for factor in factors]
        mixed = [(product ^ (product >> np.uint64(29))) * MIX for product in products]
    return [np.argsort(value, kind="stable").astype(np.int64) for value in mixed]


def neighbours(null: Null, of: Sequence[Ints]) -> tuple[Ints, Ints]:
    """Pairs i < j that are neighbours in a large token under one of the orders; as indptr [N + 1] and j.

    A pair that is drawn under several orders is there several times.
    """
    shared = null.shared
    columns = shared.rows[:, large(shared, null.weights, SMALL)].tocsr()
    keys = [_chains(columns.indptr, columns.indices, columns.shape[1], order) for order in of]
    return _by_first(np.concatenate(keys) if keys else np.empty(0, np.int64), shared.nodes)


@nb.njit(cache=True)
def _by_first(keys, N):  # type: ignore[no-untyped-def]
    """Pairs i N + j grouped by i: indptr and j."""
    indptr = np.zeros(N + 1, np.int64)
    for key in keys:
        indptr[key // N + 1] += 1
    indptr = np.cumsum(indptr)
    place, out = indptr[:-1].copy(), np.empty(len(keys), np.int64)
    for key in keys:
        out[place[key // N]] = key % N
        place[key // N] += 1
    return indptr, out


@nb.njit(cache=True)
def _chains(indptr, indices, tokens, order):  # type: ignore[no-untyped-def]
    """Each token's last holder so far meets its next one; a pair that meets in several tokens counts once."""
    N = len(order)
    last, met = np.full(tokens, -1, np.int64), np.full(N, -1, np.int64)
    out, n = np.empty(len(indices), np.int64), 0
    for j in order:
        for x in range(indptr[j], indptr[j + 1]):
            i = last[indices[x]]
            last[indices[x]] = j
            if i >= 0 and met[i] != j:
                met[i] = j
                out[n] = min(i, j) * N + max(i, j)
                n += 1
    return out[:n].copy()
