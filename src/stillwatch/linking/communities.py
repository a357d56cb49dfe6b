"""Communities of a weighted graph of nodes (Leiden, Traag et al. 2019; networkit's ParallelLeiden on one thread)."""

from __future__ import annotations

import networkit as nk
import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from stillwatch.linking.matrix import Floats, Ints


def components(nodes: int, a: Ints, b: Ints) -> Ints:
    """Connected component of each node, [N]."""
    graph = sp.csr_matrix((np.ones(len(a), np.int8), (a, b)), shape=(nodes, nodes))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def leiden(nodes: int, a: Ints, b: Ints, weight: Floats, gamma: float, seed: int) -> Ints:
    """Community of each node, [N]; nodes without an edge are alone."""
    if not len(a):
        return np.arange(nodes, dtype=np.int64)
    touched, index = np.unique(np.concatenate([a, b]), return_inverse=True)
    graph = nk.GraphFromCoo((weight, (index[: len(a)], index[len(a) :])), n=len(touched), weighted=True, directed=False)
    before = nk.getMaxNumberOfThreads()
    nk.setNumberOfThreads(1)
    nk.setSeed(seed % 2**31, False)
    try:
        found = nk.community.ParallelLeiden(graph, iterations=5, randomize=False, gamma=gamma).run().getPartition()
    finally:
        nk.setNumberOfThreads(before)
    out = np.arange(nodes, dtype=np.int64) + len(touched)
    out[touched] = np.asarray(found.getVector(), dtype=np.int64)
    return np.unique(out, return_inverse=True)[1].ravel().astype(np.int64)


def strongest(nodes: int, a: Ints, b: Ints, weight: Floats, most: int) -> np.ndarray:
    """Which edges are among the `most` heaviest of either end, [edges]."""
    keep = np.zeros(len(a), dtype=bool)
    for end in (a, b):
        order = np.lexsort((-weight, end))
        start = np.searchsorted(end[order], np.arange(nodes))
        keep[order[np.arange(len(a)) - start[end[order]] < most]] = True
    return keep
