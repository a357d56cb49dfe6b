"""Nearest neighbours in rare words: the pruned search agrees with one that goes through everything, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.linking import sources
from stillwatch.linking.sources import TIE, _top


def slow(rows: sp.csr_matrix, rank: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """By the definition: add products token by token, insert in the order in which a neighbour is first met."""
    columns, nodes = rows.tocsc(), rows.shape[0]
    best, value = np.full((nodes, most), -1, np.int64), np.zeros((nodes, most))
    for i in range(nodes):
        score: dict[int, float] = {}
        for x in range(rows.indptr[i], rows.indptr[i + 1]):
            a = rows.indices[x]
            for y in range(columns.indptr[a], columns.indptr[a + 1]):
                j = int(columns.indices[y])
                if j != i:
                    score[j] = score.get(j, 0.0) + rows.data[x] * columns.data[y]
        near = {j: s + TIE * (1.0 - min(d := abs(rank[i] - rank[j]), nodes - d) / nodes) for j, s in score.items()}
        for k, j in enumerate(sorted(near, key=lambda j: -near[j])[:most]):  # stable: equals as they were met
            best[i, k], value[i, k] = j, near[j]
    return best, value


def fast(rows: sp.csr_matrix, rank: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    columns = rows.tocsc()
    return _top(rows.indptr, rows.indices, rows.data, columns.indptr, columns.indices, columns.data, rank, most)


def tokens_of(rng: np.random.Generator, nodes: int, kinds: int, alike: bool) -> sp.csr_matrix:
    """Some tokens popular and some rare; weights of an account alike (many equal products) or any."""
    popular = rng.random((nodes, 4)) < np.array([0.9, 0.6, 0.3, 0.2])
    rare = rng.random((nodes, kinds)) < 1.5 / max(kinds, 1)
    rows = sp.csr_matrix(np.hstack([rare, popular]).astype(np.float64))
    degree = np.maximum(np.bincount(rows.indices, minlength=rows.shape[1]), 1)
    weight = np.log(2 * nodes / degree)
    scaled = (rows @ sp.diags(weight)).tocsr()
    length = 1.0 if alike else np.sqrt(np.asarray(scaled.multiply(scaled).sum(axis=1)).ravel()) + 2 * weight.max()
    out = (sp.diags(np.ones(nodes) / length) @ scaled).tocsr()
    out.sort_indices()
    return out


@given(st.integers(0, 10**6), st.integers(2, 60), st.integers(0, 40), st.booleans(), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("large", [1])
def test_the_search_agrees_with_its_twin(large: int, seed: int, nodes: int, kinds: int, alike: bool, most: int) -> None:
    rng = np.random.default_rng(seed)
    rows = tokens_of(rng, nodes, kinds, alike)
    rank = rng.permutation(nodes)
    for found, expected in zip(fast(rows, rank, most), slow(rows, rank, most), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_search_prunes_and_still_agrees() -> None:
    """Enough holders of a token for the question whether it can still matter."""
    rng = np.random.default_rng(0)
    rows = tokens_of(rng, 500, 60, alike=False)
    assert np.bincount(rows.indices).max() > 4 * sources.LARGE
    rank = rng.permutation(500)
    for found, expected in zip(fast(rows, rank, 5), slow(rows, rank, 5), strict=True):
        np.testing.assert_array_equal(found, expected)
