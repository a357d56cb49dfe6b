"""Testing pairs: how surprising is what two nodes share, all views together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numba as nb
import numpy as np

from stillwatch.linking.candidates import SMALL
from stillwatch.linking.matrix import Floats, Ints
from stillwatch.linking.null import THETAS, Null
from stillwatch.linking.shards import ALONE, Arrays, Found, Shards, blocks, laid_together

LEAST_SCORE = 1.5
"""Pairs whose shared tokens weigh less than this at every scale are not tested: they count as p = 1."""

BLOCK = 256
"""Least lesser nodes of a block."""
LEAST_RARITY = 7.5
"""Sum of log(N / d) over small tokens below which a pair is no candidate: one token of a dozen nodes, or two larger."""


@dataclass(frozen=True)
class Pairs:
    """Tested pairs a < b with log p and, as bits of a number, the views in which they share something that weighs."""

    a: Ints
    b: Ints
    log_p: Floats
    views: Ints

    def __len__(self) -> int:
        return len(self.a)

    def where(self, keep: np.ndarray) -> Pairs:
        """Those of `keep`."""
        return Pairs(self.a[keep], self.b[keep], self.log_p[keep], self.views[keep])


def scan_pairs(
    null: Null, extra: tuple[Ints, Ints], weak: float, first: Ints | None = None, shards: Shards = ALONE
) -> Pairs:
    """All candidate pairs whose log p, before the penalties of `_penalty`, is at most `weak`.

    Candidates are those in small tokens, and `extra` (indptr, j); only pairs whose lesser node is in `first`, if given.
    """
    rows, columns = null.shared.rows, null.shared.columns
    nodes = np.arange(null.shared.nodes) if first is None else first
    values: tuple[np.ndarray, ...] = (
        nodes, rows.indptr.astype(np.int64), rows.indices.astype(np.int32), columns.indptr.astype(np.int64),
        columns.indices.astype(np.int32), *extra, *_arrays(null), np.array([weak]),
    )  # fmt: skip
    size = max(BLOCK, len(nodes) // 512)
    found = shards.over(partial(_block, size), dict(zip(ARRAYS, values, strict=True)), blocks(len(nodes), size))
    return Pairs(*laid_together(found))


ARRAYS = (
    "nodes", "indptr", "indices", "cptr", "cindices", "eptr", "eindices", "view", "degree", "w", "volume", "family",
    "member", "base", "cross", "both", "thetas", "weak",
)  # fmt: skip
"""What `_scan` is given."""


def _block(size: int, arrays: Arrays, number: int) -> Found:
    """Pairs whose lesser node is in one block."""
    nodes, *rest, weak = (arrays[name] for name in ARRAYS)
    return tuple(_scan(nodes[number * size : (number + 1) * size], *rest, weak[0]))


def log_p(null: Null, a: Ints, b: Ints) -> Floats:
    """log p of given pairs, tested or not, [pairs]."""
    rows = null.shared.rows
    return _given(rows.indptr.astype(np.int64), rows.indices.astype(np.int32), a, b, *_arrays(null))


def _arrays(null: Null) -> tuple[np.ndarray, ...]:
    shared = null.shared
    return (
        shared.view.astype(np.int32),
        shared.degree,
        np.ascontiguousarray(null.weights.T),
        shared.volume,
        shared.family,
        null.more.member,
        null.base,
        null.cross,
        null.both,
        THETAS,
    )


@nb.njit(cache=True)
def _evaluate(i, j, scores, volume, family, member, base, cross, both, thetas, room):  # type: ignore[no-untyped-def]  # noqa: PLR0912
    """Chernoff bound of a pair whose scores are [V, T]: correlated views take the least times their number."""
    V, T = scores.shape
    H = len(thetas)
    for t in range(T):
        for h in range(H):
            room[1, t, h] = 0.0
    v = 0
    while v < V:
        n, f = 0, family[v]
        for t in range(T):
            for h in range(H):
                room[2, t, h] = np.inf
        while v < V and family[v] == f:
            dd = volume[i, v] * volume[j, v]
            if dd > 0:
                n += 1
                _table(i, j, v, member, base, cross, both, room)
                for t in range(T):
                    for h in range(H):
                        room[2, t, h] = min(room[2, t, h], dd * room[0, t, h] - thetas[h] * scores[v, t])
            v += 1
        if n > 0:
            for t in range(T):
                for h in range(H):
                    room[1, t, h] += room[2, t, h]
    least = 0.0
    for t in range(T):
        for h in range(H):
            least = min(least, room[1, t, h])
    return min(0.0, least + _penalty(i, j, volume, family, T))


@nb.njit(cache=True)
def _table(i, j, v, member, base, cross, both, room):  # type: ignore[no-untyped-def]  # noqa: PLR0912
    """K(theta) of two nodes in one view, [T, H], into `room[0]`."""
    T, H = base.shape[1], base.shape[2]
    for t in range(T):
        for h in range(H):
            room[0, t, h] = base[v, t, h]
    for x in range(2):
        s, u = member[i, x], member[j, x]
        if u > 0:
            for t in range(T):
                for h in range(H):
                    room[0, t, h] += cross[v, u, t, h]
        if s > 0:
            for t in range(T):
                for h in range(H):
                    room[0, t, h] += cross[v, s, t, h]
            for y in range(2):
                u = member[j, y]
                if u > 0:
                    for t in range(T):
                        for h in range(H):
                            room[0, t, h] += both[v, s, u, t, h]


@nb.njit(cache=True)
def _at_most(i, j, scores, volume, family, member, base, cross, both, thetas, room, full):  # type: ignore[no-untyped-def]
    """An upper bound on -log p before penalties: each view that says something, at its own best scale and theta.

    Without `full` the strata are left out, which is quicker and bounds from further above.
    """
    V, T = scores.shape
    total, v = 0.0, 0
    while v < V:
        most, f = 0.0, family[v]
        while v < V and family[v] == f:
            if scores[v, 0] > 0:
                dd = volume[i, v] * volume[j, v]
                if full:
                    _table(i, j, v, member, base, cross, both, room)
                for t in range(T):
                    if scores[v, t] > 0:
                        for h in range(len(thetas)):
                            k = room[0, t, h] if full else base[v, t, h]
                            most = max(most, thetas[h] * scores[v, t] - dd * k)
            v += 1
        total += most
    return total


@nb.njit(cache=True)
def _penalty(i, j, volume, family, scales):  # type: ignore[no-untyped-def]
    """What the choice of scale and of views costs: log T + sum over families of log n, n the views both have."""
    total, v = np.log(scales), 0
    while v < len(family):
        n, f = 0, family[v]
        while v < len(family) and family[v] == f:
            n += volume[i, v] * volume[j, v] > 0
            v += 1
        if n > 0:
            total += np.log(n)
    return total


@nb.njit(cache=True)
def _score(row, indptr, indices, stamp, i, view, w, scores):  # type: ignore[no-untyped-def]
    """Add up w over tokens of `row` that are stamped with i; returns the widest scale's sum and the views."""
    for v in range(scores.shape[0]):
        for t in range(scores.shape[1]):
            scores[v, t] = 0.0
    mask = 0
    total = 0.0
    for x in range(indptr[row], indptr[row + 1]):
        a = indices[x]
        if stamp[a] == i and w[a, 0] > 0:
            v = view[a]
            mask |= 1 << v
            total += w[a, 0]
            for t in range(w.shape[1]):
                scores[v, t] += w[a, t]
    return total, mask


@nb.njit(cache=True)
def _given(indptr, indices, a, b, view, degree, w, volume, family, member, base, cross, both, thetas):  # type: ignore[no-untyped-def]
    out = np.zeros(len(a))
    stamp = np.full(len(view), -1, np.int32)
    scores = np.zeros((base.shape[0], base.shape[1]))
    room = np.empty((3, base.shape[1], len(thetas)))
    for n in range(len(a)):
        for x in range(indptr[a[n]], indptr[a[n] + 1]):
            stamp[indices[x]] = n
        _score(b[n], indptr, indices, stamp, n, view, w, scores)
        out[n] = _evaluate(a[n], b[n], scores, volume, family, member, base, cross, both, thetas, room)
    return out


@nb.njit(cache=True, nogil=True)
def _scan(  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0915 - one compiled loop
    nodes,
    indptr,
    indices,
    cptr,
    cindices,
    eptr,
    eindices,
    view,
    degree,
    w,
    volume,
    family,
    member,
    base,
    cross,
    both,
    thetas,
    weak,
):
    N = len(indptr) - 1
    size = 1 << 16
    out_a, out_b = np.empty(size, np.int64), np.empty(size, np.int64)
    out_p, out_m = np.empty(size, np.float64), np.empty(size, np.int64)
    count = 0
    stamp = np.full(len(view), -1, np.int32)
    seen = np.full(N, -1, np.int64)
    todo = np.empty(N, np.int64)
    scores = np.zeros((base.shape[0], base.shape[1]))
    rarity = np.zeros(N)
    room = np.empty((3, scores.shape[1], len(thetas)))
    for i in nodes:
        n = 0
        for x in range(indptr[i], indptr[i + 1]):
            a = indices[x]
            stamp[a] = i
            if degree[a] <= SMALL and w[a, 0] > 0:
                rare = np.log(N / degree[a])
                # rows are sorted, so are columns: those above i stand at the end
                for y in range(cptr[a + 1] - 1, cptr[a] - 1, -1):
                    j = cindices[y]
                    if j <= i:
                        break
                    if seen[j] != i:
                        seen[j] = i
                        rarity[j] = 0.0
                        todo[n] = j
                        n += 1
                    rarity[j] += rare
        kept = 0
        for k in range(n):
            if rarity[todo[k]] >= LEAST_RARITY:
                todo[kept] = todo[k]
                kept += 1
            else:
                seen[todo[k]] = -1
        n = kept
        for y in range(eptr[i], eptr[i + 1]):
            j = eindices[y]
            if seen[j] != i:
                seen[j] = i
                todo[n] = j
                n += 1
        for k in range(n):
            j = todo[k]
            total, mask = _score(j, indptr, indices, stamp, i, view, w, scores)
            if total < LEAST_SCORE:
                continue
            if _at_most(i, j, scores, volume, family, member, base, cross, both, thetas, room, False) < -weak:
                continue
            if _at_most(i, j, scores, volume, family, member, base, cross, both, thetas, room, True) < -weak:
                continue
            p = _evaluate(i, j, scores, volume, family, member, base, cross, both, thetas, room)
            if p >= 0 or p > weak + _penalty(i, j, volume, family, scores.shape[1]):
                continue
            if count == size:
                size *= 2
                out_a, out_b = _grow(out_a, size), _grow(out_b, size)
                out_p, out_m = _grow(out_p, size), _grow(out_m, size)
            out_a[count], out_b[count], out_p[count], out_m[count] = i, j, p, mask
            count += 1
    return out_a[:count].copy(), out_b[:count].copy(), out_p[:count].copy(), out_m[:count].copy()


@nb.njit(cache=True)
def _grow(old, size):  # type: ignore[no-untyped-def]
    new = np.empty(size, old.dtype)
    new[: len(old)] = old
    return new
