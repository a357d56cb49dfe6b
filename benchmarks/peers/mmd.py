"""Window MMD (Liu, Guo, Dong 2026, arXiv 2606.05725): unbiased squared maximum mean discrepancy to honest traffic.

Several Gaussian kernels around the median distance of the reference, as there; the published window mixes accounts
(1,500 requests of whoever sends), which would accuse everybody in it, so here a window is one account.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from benchmarks.peers.answer import Answer
from benchmarks.peers.encoder import Floats, Queries
from benchmarks.peers.windows import Statistic, against

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)
REFERENCE = 400
LEAST = 15


def look(world: Path, *, reference: Path, null: str = "pooled") -> Answer:
    """null: see `windows`."""
    return against(world, reference, null, LEAST, prepare)


def prepare(honest: Queries) -> Statistic:
    """The statistic against a sample of the honest requests."""
    rng = np.random.default_rng(1)
    sample = honest.vectors[rng.permutation(len(honest.vectors))[:REFERENCE]]
    squared = distances(sample, sample)
    median = float(np.median(squared[np.triu_indices(len(sample), 1)]))
    inside = off_diagonal_mean(kernel(squared, median))
    return lambda window: unbiased(window, sample, median, inside)


def unbiased(x: Floats, y: Floats, median: float, inside_y: float) -> float:
    """mean of k(x, x') over x != x' - 2 mean k(x, y) + the same of y (Gretton et al. 2012, their equation 3)."""
    return (
        off_diagonal_mean(kernel(distances(x, x), median))
        - 2 * float(kernel(distances(x, y), median).mean())
        + inside_y
    )


def kernel(squared: Floats, median: float) -> Floats:
    """Mean of Gaussian kernels exp(-d^2 / (s * median))."""
    return np.mean([np.exp(-squared / (scale * max(median, 1e-12))) for scale in SCALES], axis=0)


def distances(x: Floats, y: Floats) -> Floats:
    """Squared Euclidean distances, [x, y]."""
    found = (x * x).sum(1)[:, None] + (y * y).sum(1)[None, :] - 2 * x @ y.T
    return np.maximum(found, 0.0)


def off_diagonal_mean(matrix: Floats) -> float:
    """Mean of what is not on the diagonal."""
    n = len(matrix)
    return float((matrix.sum() - np.trace(matrix)) / (n * (n - 1)))
