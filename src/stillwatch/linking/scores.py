"""Compiled loops of the group scan (`groups`): what nodes share with a group, in time that the group's tokens cost.

Only tokens that the group holds are looked at, so a small group in a log of a million tokens is a small piece of work.
"""

from __future__ import annotations

from collections.abc import Iterator

import numba as nb
import numpy as np

from stillwatch.linking.matrix import Floats, Ints
from stillwatch.linking.null import Null

MEMBER_THETAS = np.array([0.15, 0.3, 0.5, 0.75, 1.0])
CAP = 8.0
"""Most nats that one token adds to a member's score."""
TWICE = 2.0
"""A token speaks for membership when it is this many times as popular in the group as under the null."""


def against(null: Null, members: Ints, nodes: Ints) -> tuple[Floats, Floats]:
    """log p [nodes], and log e of all families and of each [nodes, 1 + families], against the group `members`."""
    return _against(*_log(null), members, nodes, *_room(null), MEMBER_THETAS)


def everybody(null: Null, members: Ints) -> Floats:
    """log p of every node against the group, leave-one-out for members, [N]; 0 where nothing is shared."""
    columns = null.shared.columns
    return _everybody(*_log(null), columns.indptr, columns.indices, members, *_room(null), MEMBER_THETAS)


def one_by_one(null: Null, ranked: Ints) -> Floats:
    """log e of each member but the first against those before its block, [members - 1, 1 + families].

    Blocks double: 1 | 1 | 2 | 4 | 8 ...
    """
    return _one_by_one(*_log(null), ranked, *_room(null)[:2], MEMBER_THETAS)


def _log(null: Null) -> Iterator[np.ndarray | int]:
    """What the loops read of the log."""
    shared, excess = null.shared, null.more.by_token
    yield from (shared.rows.indptr, shared.rows.indices, shared.view, shared.volume, shared.family)
    yield from (shared.share(), shared.degree, null.more.member, excess.indptr, excess.indices, excess.data)
    yield excess.shape[0]


def _room(null: Null) -> tuple[Floats, Floats, np.ndarray]:
    """Zeros for what is counted of each token, [A] twice, and for who is inside, [N]; pages not touched are free."""
    tokens = null.shared.rows.shape[1]
    return np.zeros(tokens), np.zeros(tokens), np.zeros(null.shared.nodes, dtype=bool)


@nb.njit(cache=True)
def _join(indptr, indices, volume, strata, nodes, k, touched, n, total, by_stratum):  # type: ignore[no-untyped-def]
    """Add `nodes` to the group: holders `k` of each token, tokens `touched` (n so far), volumes; returns n."""
    for i in nodes:
        for v in range(len(total)):
            total[v] += volume[i, v]
            for c in range(2):
                by_stratum[c, strata[i, c], v] += volume[i, v]
        for x in range(indptr[i], indptr[i + 1]):
            a = indices[x]
            if k[a] == 0.0:
                touched[n] = a
                n += 1
            k[a] += 1.0
    return n


@nb.njit(cache=True)
def _costs(  # type: ignore[no-untyped-def]
    touched, view, share, degree, eptr, estratum, excess, k, rate, total, by_stratum, thetas, base, cross
):
    """`rate` of the touched tokens under the null, and sums over tokens of r_a (exp(theta omega_a) - 1).

    By the log's own popularity, `base` [V, H], and by each excess, `cross` [V, S, H]; omega is the log ratio of a
    token's popularity in the group and under the null, 0 where that is less than `TWICE`.
    """
    base[:] = 0.0
    cross[:] = 0.0
    for a in touched:
        v = view[a]
        mu = share[a] * total[v]
        for c in range(2):
            for y in range(eptr[a], eptr[a + 1]):
                if estratum[y] > 0:
                    mu += excess[y] * by_stratum[c, estratum[y], v]
        rate[a] = mu / max(total[v], 1e-9)
        ratio = k[a] / (total[v] * max(rate[a], 1e-300))
        if degree[a] > 1 and ratio >= TWICE:
            omega = min(np.log(ratio), CAP)
            for h in range(len(thetas)):
                f = np.expm1(thetas[h] * omega)
                base[v, h] += share[a] * f
                for y in range(eptr[a], eptr[a + 1]):
                    cross[v, estratum[y], h] += excess[y] * f


@nb.njit(cache=True)
def _add_up(i, inside, indptr, indices, view, volume, k, rate, total, score):  # type: ignore[no-untyped-def]
    """The score of node i in each view, [V]; without itself if it is inside."""
    score[:] = 0.0
    for x in range(indptr[i], indptr[i + 1]):
        a = indices[x]
        v = view[a]
        others, rest = k[a], total[v]
        if inside:
            others -= 1.0
            rest -= volume[i, v]
        if others > 0 and others / (rest * rate[a]) >= TWICE:
            score[v] += min(np.log(others / (rest * rate[a])), CAP)


@nb.njit(cache=True)
def _bound(i, score, volume, family, strata, total, base, cross, thetas, log_e):  # type: ignore[no-untyped-def]
    """Chernoff's log p; `log_e` gets log of the mean over theta of exp(...). A family is the mean of its views'.

    The mean of e-values is one however they depend (Vovk and Wang 2021), and two views that say the same lose nothing.
    """
    V, H = len(score), len(thetas)
    best = 0.0
    log_e[:] = 0.0
    for h in range(H):
        whole, v = 0.0, 0
        while v < V:
            least, some, n, f = np.inf, 0.0, 0, family[v]
            while v < V and family[v] == f:
                if volume[i, v] > 0 and total[v] > 0:
                    n += 1
                    cost = base[v, h]
                    for s in strata[i]:
                        if s > 0:
                            cost += cross[v, s, h]
                    x = volume[i, v] * cost - thetas[h] * score[v]
                    some = 1.0 + some * np.exp(x - least) if x < least else some + np.exp(least - x)
                    least = min(least, x)
                v += 1
            if n > 0:
                both = least - np.log(some / n)
                whole += both
                log_e[1 + f] += np.exp(min(-both, 600.0)) / H
            else:
                log_e[1 + f] += 1.0 / H
        best = min(best, whole)
        log_e[0] += np.exp(min(-whole, 600.0)) / H
    for f in range(len(log_e)):
        log_e[f] = np.log(log_e[f])
    return best


@nb.njit(cache=True)
def _longest(indptr, nodes):  # type: ignore[no-untyped-def]
    """Ones of all the nodes: no more tokens than that are touched."""
    n = 0
    for i in nodes:
        n += indptr[i + 1] - indptr[i]
    return n


@nb.njit(cache=True, nogil=True)
def _against(  # type: ignore[no-untyped-def]
    indptr, indices, view, volume, family, share, degree, strata, eptr, estratum, excess, S,
    members, nodes, k, rate, inside, thetas,
):  # fmt: skip
    V, H = volume.shape[1], len(thetas)
    F = family[-1] + 1 if V else 0
    total, by_stratum = np.zeros(V), np.zeros((2, S, V))
    base, cross, score = np.zeros((V, H)), np.zeros((V, S, H)), np.zeros(V)
    touched = np.empty(_longest(indptr, members), np.int64)
    n = _join(indptr, indices, volume, strata, members, k, touched, 0, total, by_stratum)
    _costs(touched[:n], view, share, degree, eptr, estratum, excess, k, rate, total, by_stratum, thetas, base, cross)
    inside[members] = True
    log_p, log_e = np.zeros(len(nodes)), np.zeros((len(nodes), 1 + F))
    for m in range(len(nodes)):
        i = nodes[m]
        _add_up(i, inside[i], indptr, indices, view, volume, k, rate, total, score)
        log_p[m] = _bound(i, score, volume, family, strata, total, base, cross, thetas, log_e[m])
    return log_p, log_e


@nb.njit(cache=True, nogil=True)
def _everybody(  # type: ignore[no-untyped-def]
    indptr, indices, view, volume, family, share, degree, strata, eptr, estratum, excess, S,
    cptr, cindices, members, k, rate, inside, thetas,
):  # fmt: skip
    N, V, H = len(indptr) - 1, volume.shape[1], len(thetas)
    F = family[-1] + 1 if V else 0
    total, by_stratum = np.zeros(V), np.zeros((2, S, V))
    base, cross, score, log_e = np.zeros((V, H)), np.zeros((V, S, H)), np.zeros(V), np.zeros(1 + F)
    touched = np.empty(_longest(indptr, members), np.int64)
    n = _join(indptr, indices, volume, strata, members, k, touched, 0, total, by_stratum)
    _costs(touched[:n], view, share, degree, eptr, estratum, excess, k, rate, total, by_stratum, thetas, base, cross)
    inside[members] = True
    # who holds none of the tokens that speak for membership scores 0, whose bound is 0
    asked = np.zeros(N, np.bool_)
    asked[members] = True
    for a in touched[:n]:
        if k[a] / (total[view[a]] * rate[a]) >= TWICE:
            for y in range(cptr[a], cptr[a + 1]):
                asked[cindices[y]] = True
    log_p = np.zeros(N)
    for i in np.flatnonzero(asked):
        _add_up(i, inside[i], indptr, indices, view, volume, k, rate, total, score)
        log_p[i] = _bound(i, score, volume, family, strata, total, base, cross, thetas, log_e)
    return log_p


@nb.njit(cache=True, nogil=True)
def _one_by_one(  # type: ignore[no-untyped-def]
    indptr, indices, view, volume, family, share, degree, strata, eptr, estratum, excess, S, ranked, k, rate, thetas
):
    V, H = volume.shape[1], len(thetas)
    F = family[-1] + 1 if V else 0
    total, by_stratum = np.zeros(V), np.zeros((2, S, V))
    base, cross, score = np.zeros((V, H)), np.zeros((V, S, H)), np.zeros(V)
    touched = np.empty(_longest(indptr, ranked), np.int64)
    log_e = np.zeros((max(len(ranked) - 1, 0), 1 + F))
    seen, n = 0, 0
    while seen < len(ranked):
        stop = min(max(2 * seen, 1), len(ranked))
        if seen > 0:
            held = touched[:n]
            _costs(held, view, share, degree, eptr, estratum, excess, k, rate, total, by_stratum, thetas, base, cross)
            for m in range(seen, stop):
                i = ranked[m]
                _add_up(i, False, indptr, indices, view, volume, k, rate, total, score)
                _bound(i, score, volume, family, strata, total, base, cross, thetas, log_e[m - 1])
        n = _join(indptr, indices, volume, strata, ranked[seen:stop], k, touched, n, total, by_stratum)
        seen = stop
    return log_e
