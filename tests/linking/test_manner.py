"""Manner: sums that merge, scores that do not depend on units, and a slow twin."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from stillwatch.linking import manner
from stillwatch.model import MANNER

number = st.none() | st.integers(0, 100_000)
event = st.fixed_dictionaries(
    {
        **{name: number for name in manner.COLUMNS if name not in ("temperature", "status")},
        "temperature": st.none() | st.floats(0, 2),
        "status": st.none() | st.sampled_from(["ok", "refused", "error"]),
        "account": st.integers(0, 3),
    }
)


def batch(events: list[dict[str, object]]) -> tuple[pa.RecordBatch, np.ndarray]:
    types = dict.fromkeys(manner.COLUMNS, pa.int64()) | {"temperature": pa.float64(), "status": pa.string()}
    columns = {name: pa.array([e[name] for e in events], kind) for name, kind in types.items()}
    return pa.RecordBatch.from_pydict(columns), np.array([e["account"] for e in events], np.int64)


def slow(events: list[dict[str, object]], account: int) -> list[float]:
    """From the definition: of each measure how many are known, their sum, the sum of their squares."""
    out = []
    columns = ("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens", "max_tokens", "words", "turns")
    mine = [e for e in events if e["account"] == account]
    values = [[math.log2(1 + e[name]) for e in mine if e[name] is not None] for name in columns]  # type: ignore[operator]
    values.append([float(e["temperature"]) for e in mine if e["temperature"] is not None])  # type: ignore[arg-type]
    values.append([float(e["status"] == "ok") for e in mine if e["status"] is not None])
    for known in values:
        out += [len(known), sum(known), sum(v * v for v in known)]
    return out


@settings(max_examples=40, deadline=None)
@given(st.lists(event, min_size=1, max_size=20), st.integers(0, 20))
def test_sums_agree_with_a_slow_twin_and_merge(events: list[dict[str, object]], cut: int) -> None:
    whole = manner.sums(*batch(events), 4)
    for account in range(4):
        assert whole[account] == pytest.approx(slow(events, account), abs=20 / manner.STEP)
    parts = [part for part in (events[:cut], events[cut:]) if part]
    assert np.array_equal(sum(manner.sums(*batch(part), 4) for part in parts), whole)


def sums_of(means: np.ndarray, events: int = 10) -> np.ndarray:
    """Accounts whose first measure has these means, without spread, and nothing else known."""
    out = np.zeros((len(means), MANNER))
    out[:, 0], out[:, 1], out[:, 2] = events, events * means, events * means**2
    return out


def test_each_measure_has_three_numbers() -> None:
    assert 3 * len(manner.MEASURES) == MANNER


def test_scores_are_those_of_ranks() -> None:
    found = manner.scores(sums_of(np.array([1.0, 1000.0, 2.0, 3.0])))
    expected = norm.ppf((np.array([1, 4, 2, 3]) - 0.5) / 4)
    assert any(np.allclose(column, expected) for column in found.T)


def test_what_is_not_known_is_nobodys_manner() -> None:
    some = sums_of(np.arange(8.0))
    some[3] = 0.0
    found = manner.scores(some)
    assert np.isfinite(found).all()
    assert (found[3] == 0).all()


def test_what_all_have_in_common_is_left_out() -> None:
    assert manner.scores(sums_of(np.full(6, 2.0))).shape == (6, 0)
