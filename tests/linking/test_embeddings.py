"""Sources of text found by embeddings: twins, contracts, and planted sources."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.linking import embeddings
from stillwatch.linking.collapse import collapse
from stillwatch.linking.sources import LEAST, by_embedding
from stillwatch.model import PROFILE, PROFILES


def profiles(means: np.ndarray, events: np.ndarray) -> pa.Table:
    """model.PROFILES of accounts a000, a001 ... with these mean embeddings."""
    sums = pa.FixedSizeListArray.from_arrays(pa.array((means * events[:, None]).astype(np.float32).ravel()), PROFILE)
    ids, manner = (
        pa.array([f"a{k:03d}" for k in range(len(means))]),
        pa.nulls(len(means), PROFILES.field("manner").type),
    )
    return pa.table([ids, pa.array(events), sums, manner], schema=PROFILES)


def population(rings: list[int], honest: int, seed: int, cover: float = 0.5) -> tuple[np.ndarray, list[int]]:
    """Means of honest accounts that differ along a few directions, and rings that lean one rare way each."""
    rng = np.random.default_rng(seed)
    spread = np.exp(-np.arange(PROFILE) / 20)
    own = rng.normal(size=(honest + sum(rings), PROFILE)) * spread
    truth = [ring for ring, size in enumerate(rings) for _ in range(size)] + [-1] * honest
    for ring in range(len(rings)):
        direction = rng.normal(size=PROFILE) * spread * 2.0
        rows = [k for k, of in enumerate(truth) if of == ring]
        own[rows] = cover * own[rows] + (1 - cover) * (direction + 0.3 * own[rows])
    return own, truth


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(6, 30), st.data())
def test_cosines_agree_with_a_slow_twin(seed: int, n: int, data: st.DataObject) -> None:
    unit = np.random.default_rng(seed).normal(size=(n, 5))
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    members = np.array(sorted(data.draw(st.sets(st.integers(0, n - 1), min_size=2))))
    found = embeddings.towards(unit, members)
    for node in range(n):
        centre = sum(unit[k] for k in members.tolist() if k != node)
        assert found[node] == pytest.approx(unit[node] @ centre / max(np.linalg.norm(centre), 1e-6), abs=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 40), st.integers(1, 12))
def test_nearest_agrees_with_a_slow_twin(seed: int, n: int, most: int) -> None:
    unit = np.random.default_rng(seed).normal(size=(n, 4))
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    best, value = embeddings.nearest(unit, most)
    for node in range(n):
        cosines = sorted((float(unit[node] @ unit[k]) for k in range(n) if k != node), reverse=True)
        expected = [c for c in cosines[:most] if c > 1e-6]
        assert [v for v in value[node].tolist() if v > 1e-6] == pytest.approx(expected, abs=1e-5)
        assert node not in best[node].tolist()


@pytest.mark.parametrize(("rows", "axes"), [(2_000, PROFILE - 1), (300, 30)])
def test_whitened_points_have_unit_covariance_on_as_many_axes_as_rows_can_tell(rows: int, axes: int) -> None:
    means = population([], rows, 1)[0]
    means[:, 40] = 7.0
    white = embeddings.whiten(means)
    assert white.shape == (rows, axes)
    assert np.allclose(np.cov(white.T), np.eye(axes), atol=1e-6)


def found_in(means: np.ndarray, events: np.ndarray) -> list[set[int]]:
    table = profiles(means, events)
    nodes = collapse(table["account_id"].combine_chunks(), None)
    where = embeddings.points(table, nodes, np.ones(len(nodes), dtype=bool))
    return [] if where is None else [set(source.members.tolist()) for source in by_embedding(where, 0, 0.01)]


def test_rings_are_sources_though_half_of_what_they_send_is_cover() -> None:
    means, truth = population([40, 15], 400, 2)
    found = found_in(means, np.full(len(means), 100))
    for ring in (0, 1):
        mine = {k for k, of in enumerate(truth) if of == ring}
        assert any(source >= mine and len(source - mine) <= 2 for source in found)


def test_honest_accounts_alone_are_no_large_source() -> None:
    means, _ = population([], 400, 5)
    assert max(map(len, found_in(means, np.full(len(means), 100))), default=0) < 4 * LEAST


def test_accounts_with_few_events_or_too_few_accounts_have_no_points() -> None:
    means, _ = population([30], 100, 3)
    events = np.full(len(means), 100)
    events[:10] = embeddings.LEAST_EVENTS - 1
    assert all(not source & set(range(10)) for source in found_in(means, events))
    assert found_in(means[: embeddings.LEAST_NODES - 1], events[: embeddings.LEAST_NODES - 1]) == []
    assert embeddings.points(None, collapse(pa.array(["a"]), None), np.ones(1, dtype=bool)) is None
