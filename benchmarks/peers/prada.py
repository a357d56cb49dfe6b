"""PRADA (Juuti et al. 2019), written from the paper: are the distances to the nearest earlier query like a normal law?

Of each request the least distance to the growing set of an account's earlier ones; it joins that set if it is farther
than the set's threshold (mean less standard deviation of the distances inside, never falling). Distances beyond three
standard deviations are dropped, and the account is accused if the Shapiro-Wilk statistic W of the others falls below
delta (the paper: .95 or so). The score is 1 - W. The paper keeps one set for each class that the model predicts; a
language model predicts no class, so there is one set, or one for each of `classes` nearest directions of the reference.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from benchmarks.peers.answer import Answer
from benchmarks.peers.encoder import Floats, Ints, Queries
from benchmarks.peers.windows import Statistic, against
from scipy.stats import shapiro

STRAY = 3.0


def look(world: Path, *, reference: Path, least: int = 100, classes: int = 1) -> Answer:
    """least: distances before there is a statement, 100 in the paper. classes: sets an account."""
    return against(world, reference, "none", least + 1, lambda honest: prepare(honest, classes))


def prepare(honest: Queries, classes: int) -> Statistic:
    """The statistic, with classes from k-means on the reference if there are several."""
    if classes == 1:
        return lambda window: one_less_w(growing(window, np.zeros(len(window), np.int64)))
    from sklearn.cluster import MiniBatchKMeans

    centres = MiniBatchKMeans(classes, random_state=0, n_init=3).fit(honest.vectors).cluster_centers_
    return lambda window: one_less_w(growing(window, np.argmax(window @ centres.T, axis=1)))


def growing(window: Floats, label: Ints) -> Floats:
    """Distance of each request to the nearest in its class's growing set, the first of a class left out."""
    squared = np.maximum(
        (window * window).sum(1)[:, None] + (window * window).sum(1)[None, :] - 2 * window @ window.T, 0
    )
    distance = np.sqrt(squared)
    members: dict[int, list[int]] = {}
    inside: dict[int, list[float]] = {}
    limit: dict[int, float] = {}
    out = []
    for k, which in enumerate(label.tolist()):
        if which not in members:
            members[which], inside[which], limit[which] = [k], [], 0.0
            continue
        nearest = float(distance[k, members[which]].min())
        out.append(nearest)
        if nearest > limit[which]:
            members[which].append(k)
            inside[which].append(nearest)
            held = np.array(inside[which])
            limit[which] = max(limit[which], float(held.mean() - held.std()))
    return np.array(out)


def one_less_w(found: Floats) -> float:
    """1 - W of the distances without strays; 1 where all are equal, which is as far from normal as can be."""
    if len(found) < 3:
        return 0.0
    kept = found[np.abs(found - found.mean()) <= STRAY * found.std() + 1e-12]
    return 1.0 - float(shapiro(kept).statistic) if np.ptp(kept) > 1e-9 else 1.0
