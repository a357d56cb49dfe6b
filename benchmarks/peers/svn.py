"""Statistically validated network (Tumminello et al. 2011), written from the paper: hypergeometric co-occurrence.

Accounts with d_i and d_j of N tokens share k or more with probability P = sum_{x >= k} H(x | N, d_i, d_j). `plain`
takes all tokens as one set; `by_degree` is the paper's answer to popular tokens: one test for each degree that tokens
have, with N, d and k counted among the tokens of that degree, a pair taking its smallest P times its number of tests. A
link weighs -log10 of P times the pairs of accounts (Bonferroni), so the paper's .01 is threshold 2.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from benchmarks.peers.answer import Answer, Floats, Ints, linked
from benchmarks.peers.world import incidence, read
from scipy.sparse import csr_matrix, triu
from scipy.stats import hypergeom

SMALLEST = 1e-300
"""Smaller p-values count as this."""


def look(world: Path, *, views: str = "all", null: str = "by_degree") -> Answer:
    """views: what accounts can share. null: `plain` or `by_degree`."""
    log = read(world)
    rows, columns = incidence(log, views)
    return linked(log.accounts, *validated(rows, columns, len(log.accounts), by_degree=null == "by_degree"))


def validated(rows: Ints, columns: Ints, n: int, *, by_degree: bool) -> tuple[Ints, Ints, Floats]:
    """Pairs, and -log10 of their corrected p-value where that is above 0, from distinct (account, token) pairs."""
    degree = np.bincount(columns)
    classes = [degree == d for d in np.unique(degree[degree > 0])] if by_degree else [degree > 0]
    # one cell a pair: half of n * n cells are idle, and still smaller than a table of what popular tokens connect
    best, tests = np.zeros(n * n), np.zeros(n * n, np.int64)
    for members in classes:
        keep = members[columns]
        keys, log_p = _class(rows[keep], columns[keep], n, int(members.sum()))
        best[keys] = np.minimum(best[keys], log_p)
        tests[keys] += 1
    keys = np.flatnonzero(tests)
    weight = -(best[keys] + np.log(tests[keys] * (n * (n - 1) / 2))) / np.log(10)
    keys, weight = keys[weight > 0], weight[weight > 0]
    return keys // n, keys % n, weight


def _class(rows: Ints, columns: Ints, n: int, tokens: int) -> tuple[Ints, Floats]:
    """Keys a * n + b of the pairs that share tokens of one class, and the natural logarithm of P."""
    matrix = csr_matrix((np.ones(len(rows), np.int32), (rows, columns)), shape=(n, int(columns.max()) + 1))
    shared = triu(matrix @ matrix.T, k=1).tocoo()
    own = np.bincount(rows, minlength=n)
    cases = np.stack(
        [shared.data, np.minimum(own[shared.row], own[shared.col]), np.maximum(own[shared.row], own[shared.col])]
    )
    # few different cases, many pairs
    unique, place = np.unique(cases, axis=1, return_inverse=True)
    log_p = np.log(np.maximum(hypergeom.sf(unique[0] - 1, tokens, unique[1], unique[2]), SMALLEST))
    return shared.row.astype(np.int64) * n + shared.col, log_p[place.ravel()]
