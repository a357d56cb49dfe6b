"""SEAT (Zhang, Chen, Wagner 2021), written from the paper: how many of an account's queries are nearly alike?

Two requests are alike if the cosine of their vectors reaches delta, a percentile of pairs of honest requests (the paper
sets it so that hardly any honest pair is alike); an account is accused by how many such pairs it has. As a share of its
pairs (so adapted in arXiv 2606.05725) or as their number (the paper). The paper trains its encoder against adversaries;
here the vectors are those of `encoder`. Its adaptation also accuses windows with too few like pairs: `few`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from benchmarks.peers.answer import Answer
from benchmarks.peers.encoder import Floats, Queries
from benchmarks.peers.windows import Statistic, against

LEAST = 15
PAIRS = 200_000


def look(
    world: Path, *, reference: Path, percentile: float = 99.0, counted: str = "share", null: str = "pooled"
) -> Answer:
    """percentile: of honest pairs, in percent. counted: `share`, `number` or `few`. null: see `windows`."""
    return against(world, reference, null, LEAST, lambda honest: prepare(honest, percentile, counted))


def prepare(honest: Queries, percentile: float, counted: str) -> Statistic:
    """The statistic, delta taken from random pairs of honest requests."""
    rng = np.random.default_rng(2)
    left, right = rng.integers(0, len(honest.vectors), (2, PAIRS))
    apart = left != right
    cosines = (honest.vectors[left[apart]] * honest.vectors[right[apart]]).sum(1)
    delta = float(np.percentile(cosines, percentile))
    return lambda window: alike(window, delta, counted)


def alike(window: Floats, delta: float, counted: str) -> float:
    """Pairs of a window whose cosine is at least delta: their number, their share of all, or one less that share."""
    n = len(window)
    pairs = (int((window @ window.T >= delta).sum()) - int(((window * window).sum(1) >= delta).sum())) / 2
    share = pairs / (n * (n - 1) / 2)
    return {"number": float(pairs), "share": share, "few": 1.0 - share}[counted]
