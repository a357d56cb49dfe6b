"""Content links without equal text: accounts whose kernel mean embeddings fall into the same small cells.

The embedding of an account is the mean of random Fourier features of its prompts, so the distance of two is the
maximum mean discrepancy of their content (Gretton et al. 2012; Rahimi and Recht 2007). Cells of k-means under several
seeds become tokens of the content view `profile`: whether sharing cells means anything is then the business of the
same null as for every other token.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from stillwatch.linking.collapse import Nodes
from stillwatch.model import PROFILE

LEAST_EVENTS = 20
"""An embedding of fewer events is noise."""
SEEDS = 3
ROUNDS = 8
ACCOUNTS_A_CELL = 40


def cells(profiles: pa.Table, nodes: Nodes, seed: int) -> dict[str, sp.csr_matrix]:
    """View `profile`: nodes x cells; nothing where too few accounts have content."""
    sums = profiles["embedding"].combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, PROFILE)
    place = pc.index_in(profiles["account_id"], value_set=nodes.ids).to_numpy(zero_copy_only=False).astype(np.int64)
    total, count = np.zeros((len(nodes), PROFILE)), np.zeros(len(nodes))
    np.add.at(total, nodes.node_of[place], np.nan_to_num(sums))
    np.add.at(count, nodes.node_of[place], profiles["events"].fill_null(0).to_numpy())
    rows = np.flatnonzero(count >= LEAST_EVENTS)
    if len(rows) < 4 * ACCOUNTS_A_CELL:
        return {}
    points = total[rows] / count[rows, None]
    points -= points.mean(axis=0)
    k = max(8, len(rows) // ACCOUNTS_A_CELL)
    rng = np.random.default_rng(seed)
    labels = [_kmeans(points.astype(np.float32), k, rng) + n * k for n in range(SEEDS)]
    column, row = np.concatenate(labels), np.tile(rows, SEEDS)
    return {"profile": sp.csr_matrix((np.ones(len(row)), (row, column)), shape=(len(nodes), k * SEEDS))}


def _kmeans(points: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Cell of each point after `ROUNDS` rounds of Lloyd's algorithm from random points; means are of all points."""
    centres = points[rng.choice(len(points), k, replace=False)]
    for _ in range(ROUNDS):
        cell = _nearest(points, centres)
        into = sp.csr_matrix((np.ones(len(cell), np.float32), (cell, np.arange(len(cell)))), shape=(k, len(cell)))
        size = np.asarray(into.sum(axis=1)).ravel()
        centres = np.where(size[:, None] > 0, (into @ points) / np.maximum(size, 1)[:, None], centres)
    return _nearest(points, centres)


def _nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    half = (centres**2).sum(axis=1) / 2
    parts = [
        np.argmax(points[start : start + 4096] @ centres.T - half, axis=1) for start in range(0, len(points), 4096)
    ]
    return np.concatenate(parts)
