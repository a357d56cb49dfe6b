"""Mahalanobis distance of requests to honest traffic, averaged over a window (a baseline of arXiv 2606.05725).

One centre and one covariance of all honest requests ("marginal", Podolskiy et al. 2021).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from benchmarks.peers.answer import Answer
from benchmarks.peers.encoder import Floats, Queries
from benchmarks.peers.windows import Statistic, against

LEAST = 15
RIDGE = 1e-6


def look(world: Path, *, reference: Path, averaged: str = "distance", null: str = "pooled") -> Answer:
    """averaged: `distance` (mean of the distances) or `mean` (n times the squared distance of the mean)."""
    return against(world, reference, null, LEAST, lambda honest: prepare(honest, averaged))


def prepare(honest: Queries, averaged: str) -> Statistic:
    """The statistic, centre and covariance taken from the reference."""
    centre = honest.vectors.mean(0)
    covariance = np.cov(honest.vectors, rowvar=False) + RIDGE * np.eye(honest.vectors.shape[1])
    whitening = np.linalg.inv(np.linalg.cholesky(covariance))
    return lambda window: statistic((window - centre) @ whitening.T, averaged)


def statistic(white: Floats, averaged: str) -> float:
    """Of whitened requests [n, d]."""
    if averaged == "mean":
        return float(len(white) * (white.mean(0) ** 2).sum())
    return float(np.sqrt((white**2).sum(1)).mean())
