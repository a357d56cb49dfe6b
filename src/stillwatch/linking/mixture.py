"""Which of an account's events are a stream's, and whether anything but their content tells them apart.

`posterior` is a mixture whose share differs from cluster to cluster: what a reseller's customer or an address has sent
is mostly one thing or mostly the other. `told_apart` is an exact test: were the marked requests dealt to the values of
a kind of trace (customers, networks, clients, keys) at random, the chance that some of the values had so many.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np
from scipy.special import gammaln

from stillwatch.linking.matrix import Floats, Ints

PULL = 2.0
"""Events' worth by which a cluster's share is drawn to that of its account."""
STEPS = 30
LEAST_ODDS, MOST_ODDS = float(np.exp(-60.0)), float(np.exp(60.0))
MOST_VALUES = 64
"""Values of a kind, the richest in marks, that are tried."""


def posterior(log_ratio: Floats, cluster: Ints, start: float) -> Floats:
    """Chance that each unit is the stream's, [n]; `log_ratio` natural, clusters numbered from 0 on.

    Expectation-maximisation of the account's share and, drawn to it, each cluster's, from the share `start`.
    """
    out = np.empty(len(log_ratio))
    # beyond this no share of a cluster matters, and nothing overflows
    ratio = np.exp(np.clip(log_ratio, -100.0, 100.0))
    _posterior(out, ratio, cluster, np.bincount(cluster).astype(np.float64), float(np.clip(start, 0.02, 0.98)))
    return out


@nb.njit(cache=True, nogil=True)
def _posterior(out, ratio, cluster, n, share):  # type: ignore[no-untyped-def]
    by_cluster = np.full(len(n), share)
    for _ in range(STEPS):
        odds = by_cluster / (1.0 - by_cluster)
        by_cluster[:] = 0.0
        total = 0.0
        for k in range(len(out)):
            one = min(max(odds[cluster[k]] * ratio[k], LEAST_ODDS), MOST_ODDS)
            out[k] = one / (1.0 + one)
            by_cluster[cluster[k]] += out[k]
            total += out[k]
        if len(out):
            share = min(max(total / len(out), 1e-4), 1.0 - 1e-4)
        for c in range(len(n)):
            by_cluster[c] = min(max((by_cluster[c] + PULL * share) / (n[c] + PULL), 1e-6), 1.0 - 1e-6)


@nb.njit(cache=True)
def _tail(least, whole, good, drawn):  # type: ignore[no-untyped-def]
    """log P(X >= least) of a hypergeometric X: `drawn` of `whole` of which `good` count."""
    low, high = max(0, good + drawn - whole), min(good, drawn)
    if least <= low:
        return 0.0
    if least > high:
        return -np.inf
    x = least
    log_term = (
        math.lgamma(good + 1.0) - math.lgamma(x + 1.0) - math.lgamma(good - x + 1.0)
        + math.lgamma(whole - good + 1.0) - math.lgamma(drawn - x + 1.0) - math.lgamma(whole - good - drawn + x + 1.0)
        - math.lgamma(whole + 1.0) + math.lgamma(drawn + 1.0) + math.lgamma(whole - drawn + 1.0)
    )  # fmt: skip
    term, total = 1.0, 1.0
    while x < high:
        ratio = (good - x) * (drawn - x) / ((x + 1.0) * (whole - good - drawn + x + 1.0))
        term *= ratio
        total += term
        x += 1
        if total > 1e250:
            log_term += math.log(total)
            term, total = term / total, 1.0
        if ratio < 1.0 and term < 1e-17 * total:
            break
    return min(log_term + math.log(total), 0.0)


@nb.njit(cache=True)
def _tails(least, whole, good, drawn, out):  # type: ignore[no-untyped-def]
    for k in range(len(out)):
        out[k] = _tail(least[k], whole, good, drawn[k])


def log_upper(least: Ints, whole: int, good: int, drawn: Ints) -> Floats:
    """log P(X >= least) for X hypergeometric, exact, [n]: `drawn` of `whole`, of which `good` count.

    A loop over the terms, since the distribution's own functions take a millisecond each.
    """
    out = np.empty(len(least))
    _tails(least.astype(np.int64), whole, good, drawn.astype(np.int64), out)
    return out


def log_lower(most: Ints, whole: int, good: int, drawn: Ints) -> Floats:
    """log P(X <= most), exact, [n]: so many of those drawn do not count."""
    return log_upper(drawn - most, whole, whole - good, drawn)


def told_apart(marked: np.ndarray, value: Ints) -> float:
    """Natural log of a bound on the chance that marked units stand so together in some of a kind's values.

    marked: [n] booleans; value: [n] numbers from 0 on. For every k the k values richest in marks are taken: an exact
    hypergeometric tail, times the number of ways to choose k values, times the number of k tried. 0 for one value.
    """
    size = np.bincount(value)
    size_marked = np.bincount(value, marked, len(size))
    there = size > 0
    size, size_marked = size[there], size_marked[there]
    values = len(size)
    if values < 2:
        return 0.0
    order = np.lexsort((-size, -size_marked / size))
    tried = np.arange(1, min(values - 1, MOST_VALUES) + 1)
    inside = np.cumsum(size[order])[tried - 1]
    hits = np.cumsum(size_marked[order])[tried - 1]
    tail = log_upper(hits, len(value), int(marked.sum()), inside)
    ways = gammaln(values + 1) - gammaln(tried + 1) - gammaln(values - tried + 1)
    return float(min((tail + ways).min() + np.log(len(tried)), 0.0))
