"""Slow, obvious twins: straight from the definitions, one pair and one token at a time."""

from __future__ import annotations

import itertools
import math

import numpy as np

from stillwatch.linking.matrix import Incidence
from stillwatch.linking.null import THETAS
from stillwatch.linking.scores import CAP, MEMBER_THETAS, TWICE
from stillwatch.linking.strata import Excess


def rate(shared: Incidence, more: Excess, i: int, a: int) -> float:
    """r_a(i)."""
    v = shared.view[a]
    out = shared.degree[a] / shared.total[v]
    for s in more.member[i]:
        if s > 0:
            out += more.excess[s, a]
    return float(out)


def weight(shared: Incidence, tau: float, a: int) -> float:
    """w_a(tau)."""
    if shared.degree[a] < 2:
        return 0.0
    active = (shared.volume[:, shared.view[a]] > 0).sum()
    return max(0.0, math.log(tau * active / shared.degree[a]))


def pair_log_p(shared: Incidence, more: Excess, scales: tuple[float, ...], i: int, j: int) -> float:
    """Chernoff bound of a pair; views of a family: the least times their number; Bonferroni over scales."""
    rows = shared.rows.toarray() > 0
    best, penalty = 0.0, math.log(len(scales))
    families = {f: [v for v in range(len(shared.views)) if shared.family[v] == f] for f in set(shared.family.tolist())}
    used = {f: [v for v in vs if shared.volume[i, v] * shared.volume[j, v] > 0] for f, vs in families.items()}
    penalty += sum(math.log(len(vs)) for vs in used.values() if vs)
    for tau, theta in itertools.product(scales, THETAS):
        total = 0.0
        for vs in used.values():
            terms = []
            for v in vs:
                k = score = 0.0
                for a in np.flatnonzero(shared.view == v):
                    w = weight(shared, tau, a)
                    k += rate(shared, more, i, a) * rate(shared, more, j, a) * math.expm1(theta * w)
                    if rows[i, a] and rows[j, a]:
                        score += w
                terms.append(shared.volume[i, v] * shared.volume[j, v] * k - theta * score)
            total += min(terms, default=0.0)
        best = min(best, total)
    return min(0.0, best + penalty)


def q_values(log_p: list[float], tests: float) -> list[float]:
    """Least level at which Benjamini-Hochberg rejects each, by trying every level that matters."""
    p = [math.exp(x) for x in log_p]
    out = []
    for x in p:
        levels = [tests * y / sum(z <= y for z in p) for y in p if y >= x]
        out.append(min(1.0, *levels))
    return out


def member_log_p(shared: Incidence, more: Excess, members: list[int], i: int) -> float:
    """Leave-one-out bound of one node against a group."""
    rows = shared.rows.toarray() > 0
    inside = i in members
    best = 0.0
    k = rows[members].sum(axis=0)
    volume = shared.volume[members].sum(axis=0)
    mean = [sum(shared.volume[m, shared.view[a]] * rate(shared, more, m, a) for m in members) for a in range(len(k))]
    touched = False
    scores = {}
    for a in np.flatnonzero(rows[i]):
        v = shared.view[a]
        others = k[a] - inside
        rest = volume[v] - inside * shared.volume[i, v]
        ratio = others / (rest * mean[a] / volume[v]) if others > 0 else 0.0
        if ratio >= TWICE:
            touched = True
            scores[v] = scores.get(v, 0.0) + min(math.log(ratio), CAP)
    if not touched:
        return 0.0
    for theta in MEMBER_THETAS:
        total = 0.0
        for f in set(shared.family.tolist()):
            terms = []
            for v in np.flatnonzero(shared.family == f):
                if shared.volume[i, v] == 0 or volume[v] == 0:
                    continue
                cost = 0.0
                for a in np.flatnonzero((shared.view == v) & (k > 0) & (shared.degree > 1)):
                    ratio = k[a] / mean[a]
                    omega = min(math.log(ratio), CAP) if ratio >= TWICE else 0.0
                    cost += rate(shared, more, i, a) * math.expm1(theta * omega)
                terms.append(theta * scores.get(v, 0.0) - shared.volume[i, v] * cost)
            if terms:
                total += math.log(len(terms)) - np.logaddexp.reduce(terms)
        best = min(best, total)
    return best
