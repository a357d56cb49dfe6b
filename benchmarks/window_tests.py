"""Statistics of a window of queries against benign traffic, for `windows.py`: the larger, the more suspicious.

Fitted on a benign reference; a window is a list of rows. Published names, reconstructed from their descriptions:

- mmd: squared maximum mean discrepancy to the reference, Gaussian kernel, median heuristic (Gretton et al. 2012)
- mahalanobis: mean squared Mahalanobis distance of the queries to the reference
- prada: normality of each query's distance to the nearest earlier one, outliers of three deviations left out (Juuti et
  al. 2019, without its classes: a language model's answers have none; Shapiro and Francia's W' stands for Shapiro and
  Wilk's W, which it equals to the second decimal on hundreds of values and which takes fifty times as long)
- seat: share of pairs nearer than almost all benign pairs (Zhang et al. 2021, without its trained encoder)
- cap: share of the cells of the benign space that the window visits (of its description only "embedding-space coverage"
  was known)

prada, seat and cap are two-sided, as the distance to the benign median; their authors' code offers both variants.
DATE trains a transformer to spot replaced tokens; it is not reconstructed. Stillwatch's own:

- novelty_tail: share of queries whose distance to their k-th nearest reference query exceeds the benign 95th percentile
- whitened_embedding: Hotelling's T^2 of the kernel mean embedding, the covariance being that of benign queries
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numba as nb
import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from encoders import Floats, embed, fourier

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
NAMES = ("mmd", "mahalanobis", "prada", "seat", "cap", "novelty_tail", "whitened_embedding")
TWO_SIDED = ("prada", "seat", "cap")
FEATURES, OWN_FEATURES = 256, 128
NEIGHBOUR = 5
TAIL = 0.95
NEAR = 1e-3
"""Share of benign pairs that count as near."""
FEW = 800
"""Reference queries whose pairs give the bandwidth and what is near."""
CELLS = 128
FLAT = 1e-6
ROUNDS = 10


@dataclass(frozen=True)
class Fitted:
    """What the statistics keep of every query (benign first, then the attacker's) and of the reference."""

    unit: Floats
    """Vectors of length 1, [n, D]."""
    phi: Floats
    """Random Fourier features, [n, FEATURES], and their mean over the reference, [FEATURES]."""
    phi_mean: Floats
    distance: Doubles
    """Squared Mahalanobis distance, [n]."""
    novel: Doubles
    """1 for queries in the tail, [n]."""
    cell: Ints
    """[n]"""
    near: float
    """Inner product above which two queries are near."""
    white: Doubles
    """Whitened features, centred on the reference: [n, at most OWN_FEATURES]."""


def fit(unit: Floats, reference: Ints, calibration: Ints, seed: int) -> Fitted:
    """Fit on the reference; the tail's threshold is that of calibration queries, not their own neighbours."""
    rng = np.random.default_rng(seed)
    base = unit[reference]
    few = base[:FEW]
    pairs = (few @ few.T)[np.triu_indices(len(few), 1)]
    bandwidth = float(np.sqrt(np.median(np.maximum(2 - 2 * pairs, 1e-6))))
    phi = embed(unit, fourier(unit.shape[1], FEATURES, bandwidth, seed))
    own = embed(unit, fourier(unit.shape[1], OWN_FEATURES, bandwidth, seed + 1)).astype(np.float64)
    far = kth_distance(unit, base, NEIGHBOUR)
    return Fitted(
        unit, phi, phi[reference].mean(axis=0), mahalanobis(unit.astype(np.float64), base.astype(np.float64)),
        (far > np.quantile(far[calibration], TAIL)).astype(np.float64), cells(unit, base, rng),
        float(np.quantile(pairs, 1 - NEAR)), whitened(own, own[reference]),
    )  # fmt: skip


def kth_distance(unit: Floats, base: Floats, k: int) -> Doubles:
    """Squared distance to the k-th nearest row of `base`, [n]."""
    out = [
        -np.partition(-(part @ base.T), k - 1, axis=1)[:, k - 1] for part in np.array_split(unit, 1 + len(unit) // 4096)
    ]
    return np.asarray(2 - 2 * np.concatenate(out), np.float64)


def mahalanobis(rows: Doubles, base: Doubles) -> Doubles:
    """Squared distance of each row to the mean of `base` by its covariance, which is shrunk by a thousandth."""
    cov = np.cov(base.T)
    cov = cov + 1e-3 * np.trace(cov) / len(cov) * np.eye(len(cov))
    centred = rows - base.mean(axis=0)
    return np.asarray((centred * np.linalg.solve(cov, centred.T).T).sum(axis=1))


def whitened(rows: Doubles, base: Doubles) -> Doubles:
    """Rows centred on `base` and scaled to variance 1 along its principal axes; flat axes are left out."""
    variance, axes = np.linalg.eigh(np.cov(base.T))
    some = variance > FLAT * variance.max()
    return np.asarray((rows - base.mean(axis=0)) @ axes[:, some] / np.sqrt(variance[some]))


def cells(unit: Floats, base: Floats, rng: np.random.Generator) -> Ints:
    """The nearest of `CELLS` centres (spherical k-means of the reference) of each row, [n]."""
    centres = base[rng.choice(len(base), min(CELLS, len(base)), replace=False)]
    for _ in range(ROUNDS):
        nearest = (base @ centres.T).argmax(axis=1)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, base)
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(length > 0, sums / np.maximum(length, 1e-12), centres)
    return np.asarray((unit @ centres.T).argmax(axis=1))


def statistics(fitted: Fitted, window: Ints) -> Doubles:
    """All statistics of one window, in the order of NAMES; the two-sided ones not yet folded."""
    gap = fitted.phi[window].mean(axis=0) - fitted.phi_mean
    rows = fitted.unit[window]
    near, latest = _pairs(rows @ rows.T, np.float32(fitted.near))
    leaning = fitted.white[window].mean(axis=0)
    return np.array([
        float(gap @ gap), fitted.distance[window].mean(), normality(np.sqrt(np.maximum(2 - 2 * latest, 0.0))),
        near / (len(window) * (len(window) - 1) / 2), np.count_nonzero(np.bincount(fitted.cell[window])) / CELLS,
        fitted.novel[window].mean(), len(window) * float(leaning @ leaning),
    ])  # fmt: skip


@nb.njit(cache=True)
def _pairs(gram, near):  # type: ignore[no-untyped-def]
    """How many pairs are above `near`, and for each row but the first its largest inner product with an earlier one."""
    n = len(gram)
    count, latest = 0, np.empty(n - 1)
    for i in range(1, n):
        best = np.float32(-2.0)
        for j in range(i):
            g = gram[i, j]
            count += g > near
            best = max(best, g)
        latest[i - 1] = best
    return count, latest


def normality(distances: Doubles) -> float:
    """W' of the distances within three deviations of their mean, their squared correlation with normal order
    statistics (Shapiro and Francia 1972, by Blom's approximation); 1 if they do not vary."""
    spread = distances.std()
    kept = distances[np.abs(distances - distances.mean()) <= 3 * spread]
    if len(kept) < 3 or np.ptp(kept) <= 1e-9:
        return 1.0
    centred, expected = np.sort(kept) - kept.mean(), order_statistics(len(kept))
    return float((centred @ expected) ** 2 / (centred @ centred) / (expected @ expected))


@cache
def order_statistics(n: int) -> Doubles:
    """Expected values of n sorted normal deviates (Blom 1958)."""
    return np.asarray(norm.ppf((np.arange(1, n + 1) - 0.375) / (n + 0.25)))


def folded(values: Doubles, benign: Doubles) -> Doubles:
    """Statistics [..., NAMES] with the two-sided ones as distance to the median of the benign windows [W, NAMES]."""
    out = values.copy()
    for k, name in enumerate(NAMES):
        if name in TWO_SIDED:
            out[..., k] = np.abs(values[..., k] - np.median(benign[:, k]))
    return out


def threshold(benign: Doubles, level: float) -> Doubles | None:
    """Per statistic the smallest value that a fresh benign window exceeds with chance at most 1 - level (conformal: the
    ceil(level (n + 1))-th smallest of n); None if n is too small to say so."""
    place = int(np.ceil(level * (len(benign) + 1)))
    return np.sort(benign, axis=0)[place - 1] if place <= len(benign) else None
