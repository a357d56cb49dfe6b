"""Calibration that ships: what the test finds where by construction there is nothing.

Each view is shuffled so that every node keeps its number of tokens and every token its popularity; within strata, since
the null is told of them. Links found on such a log are false.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from stillwatch.linking.matrix import Incidence


def shuffled(shared: Incidence, seed: int) -> Incidence:
    """The same degrees, other holders: ends of all ones of a view are drawn anew, and repetitions are swapped away."""
    rng = np.random.default_rng(seed)
    coo = shared.rows.tocoo()
    row, col = coo.row.astype(np.int64), coo.col.astype(np.int64)
    view = shared.view[col]
    blocks = []
    for v in range(len(shared.views)):
        here = view == v
        blocks.append(_view(row[here], col[here], shared.rows.shape[1], rng))
    row = np.concatenate([block[0] for block in blocks]) if blocks else row
    col = np.concatenate([block[1] for block in blocks]) if blocks else col
    rows = sp.csr_matrix((np.ones(len(row), np.int8), (row, col)), shape=shared.rows.shape)
    rows.sort_indices()
    return replace(shared, rows=rows)


def _view(row: np.ndarray, col: np.ndarray, width: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Permute tokens over ones; a node that got a token twice swaps with random others until nobody did."""
    col = rng.permutation(col)
    some = np.arange(len(col))
    for _ in range(2000):
        key = row[some] * width + col[some]
        order = np.argsort(key, kind="stable")
        double = some[order[1:][key[order][1:] == key[order][:-1]]]
        if not len(double):
            break
        other = rng.integers(0, len(col), len(double))
        for x, y in zip(double.tolist(), other.tolist(), strict=True):
            col[x], col[y] = col[y], col[x]
        # all others had no token twice and were left as they are
        swapped = np.zeros(int(row.max()) + 1, dtype=bool)
        swapped[row[double]] = swapped[row[other]] = True
        some = np.flatnonzero(swapped[row])
    key = np.unique(row * width + col)
    return key // width, key % width
