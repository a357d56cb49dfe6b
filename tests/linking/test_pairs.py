from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.linking import candidates, pairs
from stillwatch.linking.fdr import q_values
from tests.linking import naive
from tests.linking.small import SCALES, small_null


@pytest.mark.parametrize("strata", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_log_p_agrees_with_the_definition(seed: int, strata: bool) -> None:
    null = small_null(14, seed, strata=strata)
    a, b = np.triu_indices(14, 1)
    fast = pairs.log_p(null, a.astype(np.int64), b.astype(np.int64))
    slow = [naive.pair_log_p(null.shared, null.more, SCALES, int(i), int(j)) for i, j in zip(a, b, strict=True)]
    np.testing.assert_allclose(fast, slow, rtol=1e-5, atol=1e-6)
    assert min(slow) < -1


def test_the_scan_finds_every_pair_that_the_definition_calls_surprising(monkeypatch: pytest.MonkeyPatch) -> None:
    null = small_null(60, 5, strata=True)
    order = candidates.orders([f"n{k}" for k in range(60)], 8, 0)
    found = pairs.scan_pairs(null, candidates.neighbours(null, order), -3.0)
    a, b = np.triu_indices(60, 1)
    everything = pairs.log_p(null, a.astype(np.int64), b.astype(np.int64))
    got = dict(zip(zip(found.a.tolist(), found.b.tolist(), strict=True), found.log_p.tolist(), strict=True))
    for i, j, p in zip(a.tolist(), b.tolist(), everything.tolist(), strict=True):
        if (i, j) in got:
            assert got[i, j] == pytest.approx(p)
    # candidates of sixty nodes: all pairs in small tokens, so only the rarity filter may hide one
    strong = {(i, j) for i, j, p in zip(a.tolist(), b.tolist(), everything.tolist(), strict=True) if p < -3.0}
    assert len(set(got) & strong) >= 0.9 * len(strong) > 0


def test_neighbours_join_a_token_that_nearly_everybody_in_a_ring_holds() -> None:
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    from stillwatch.linking.matrix import incidence
    from stillwatch.linking.null import null as build
    from stillwatch.linking.strata import Strata
    from stillwatch.linking.views import view_of

    held = np.zeros((3000, 1), dtype=np.int64)
    held[1000:1500] = 1
    filler = np.eye(3000, dtype=np.int64)[:, :1500] + np.eye(3000, k=-1500, dtype=np.int64)[:, :1500]
    shared = incidence([view_of("address")], [csr_matrix(np.hstack([held, filler]))], 3000)
    indptr, j = candidates.neighbours(
        build(shared, Strata.none(3000), (0.3,)), candidates.orders([str(k) for k in range(3000)], 4, 0)
    )
    i = np.repeat(np.arange(3000), np.diff(indptr))
    assert (i < j).all()
    _, part = connected_components(csr_matrix((np.ones(len(i)), (i, j)), shape=(3000, 3000)), directed=False)
    assert len(np.unique(part[1000:1500])) == 1
    assert len(np.unique(part)) == 2501
    assert len(np.unique(i * 3000 + j)) <= 4 * 499


@given(st.lists(st.floats(-40, 0), min_size=1, max_size=12), st.integers(0, 50))
@settings(max_examples=200, deadline=None)
def test_q_values_agree_with_trying_every_level(log_p: list[float], untested: int) -> None:
    tests = float(len(log_p) + untested)
    np.testing.assert_allclose(q_values(np.array(log_p), tests), naive.q_values(log_p, tests), rtol=1e-9)
