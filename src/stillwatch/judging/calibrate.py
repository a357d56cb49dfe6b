"""From a statistic to bits: tail probabilities against a null sample, and the evidence they are worth.

p-values: rank within the null sample; beyond its largest value the tail is continued by a generalised Pareto law
(Pickands 1975), shape and scale by probability-weighted moments (Hosking and Wallis 1987), the shape held in a range
that keeps the tail at least slightly heavier than exponential. Bits: log2 of the e-value
(1 - p + p ln p) / (p ln^2 p) (Vovk and Wang 2021), so that independent evidence adds and nothing costs up to a bit.
False-discovery rate: Benjamini and Hochberg (1995); operators share no account and draw their groups independently.
"""

from __future__ import annotations

import numpy as np

from stillwatch.population import Floats

P_FLOOR = 2.0**-24
"""No log supports more than this against one null sample."""
TAIL = 0.2
"""Share of the null sample that the tail is fitted to."""
SHAPE = (0.1, 0.9)


def tail_p(x: Floats, null: Floats, resolution: float) -> Floats:
    """Upper-tail p-value of x [G] against null samples [G, B] or one shared [1, B]; NaN where x or the null is.

    NaN in the null are groups without an answer and are left out; below 19 answers there is no p-value.
    """
    null = np.broadcast_to(null, (len(x), null.shape[1]))
    known = np.isfinite(null)
    size = known.sum(axis=1)
    filled = np.where(known, null, -np.inf)
    at_least = (filled >= x[:, None]).sum(axis=1)
    rank = (1.0 + at_least) / (1.0 + size)
    tested = np.isfinite(x) & (size >= 19)
    p, beyond = rank, np.flatnonzero(tested & (at_least == 0))
    if len(beyond):
        tail = _pareto_tail(x[beyond], filled[beyond], size[beyond], resolution)
        p[beyond] = np.minimum(rank[beyond], tail)
    return np.where(tested, np.clip(p, P_FLOOR, 1.0), np.nan)


def _pareto_tail(x: Floats, filled: Floats, size: np.ndarray[tuple[int], np.dtype[np.int64]], least: float) -> Floats:
    """Generalised Pareto continuation beyond the largest value of each row, [G]; `least` bounds the scale below."""
    descending = -np.sort(-filled, axis=1)
    width = filled.shape[1]
    k = np.maximum((TAIL * size).astype(np.int64), 3)
    threshold = np.take_along_axis(descending, np.minimum(k, width - 1)[:, None], axis=1)[:, 0]
    threshold = np.where(np.isfinite(threshold), threshold, 0.0)
    place = np.arange(width)[None, :]
    excess = np.where((place < k[:, None]) & np.isfinite(descending), descending - threshold[:, None], 0.0)
    mean = excess.sum(axis=1) / k
    # largest first: place j has empirical survival (j + .65) / k
    weighted = (excess * np.clip((place + 0.65) / k[:, None], 0, 1)).sum(axis=1) / k
    gap = mean - 2 * weighted
    shape = np.clip(2 - np.divide(mean, gap, out=np.full_like(mean, 2.0), where=gap > 1e-12), *SHAPE)
    scale = np.maximum(mean * (1 - shape), least)
    far = np.maximum(np.where(np.isfinite(x), x, 0.0) - threshold, 0) / scale
    return np.asarray(k / np.maximum(size, 1) * (1 + shape * far) ** (-1 / shape), dtype=np.float64)


def bits(p: Floats) -> Floats:
    """Evidence in bits of a p-value: from -1 (p = 1) to about 16 (p = 2**-24); NaN stays NaN."""
    p = np.clip(p, P_FLOOR, 1 - 1e-9)
    log = np.log(p)
    near_one = np.abs(log) < 1e-3
    safe = np.where(near_one, -1.0, log)
    value = np.where(near_one, 0.5, (1 - p + p * safe) / (p * safe**2))
    return np.asarray(np.log2(value), dtype=np.float64)


def false_discovery_rates(p: Floats) -> Floats:
    """Benjamini-Hochberg adjusted p-values; NaN (not tested) stays NaN and does not count as a test."""
    out = np.full(len(p), np.nan)
    tested = np.flatnonzero(np.isfinite(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    raw = p[order] * len(tested) / np.arange(1, len(tested) + 1)
    out[order] = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1.0)
    return out
