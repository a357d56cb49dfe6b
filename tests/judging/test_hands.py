"""What linking proved counts in the dimension source, and bits still add up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.judging import hands
from stillwatch.judging.calibrate import P_FLOOR, bits
from stillwatch.judging.combine import Finding
from stillwatch.judging.verdict import SOURCE


def finding(source_p: list[float]) -> Finding:
    """A finding whose source has this p; the other dimensions are halves."""
    p = np.full((4, len(source_p)), 0.5)
    p[SOURCE] = source_p
    none = np.empty((0, len(source_p)))
    return Finding(none, none, none, p, bits(p), np.zeros_like(p))


def weigh_twin(p: float, hand_bits: float) -> float:
    if np.isnan(hand_bits):
        return p
    by_link = min(max(2.0**-hand_bits, P_FLOOR), 1.0)
    return min(2 * (by_link if np.isnan(p) else min(p, by_link)), 1.0)


_P = st.one_of(st.floats(1e-6, 1.0), st.just(float("nan")))
_BITS = st.one_of(st.floats(0, 500), st.just(float("nan")))


@given(st.lists(st.tuples(_P, _BITS), min_size=1, max_size=8))
def test_the_smaller_p_counts_twice_and_rows_add_up(pairs: list[tuple[float, float]]) -> None:
    before = finding([p for p, _ in pairs])
    hand = np.array([b for _, b in pairs])
    after = hands.weigh(before, hand)
    expected = [weigh_twin(p, b) for p, b in pairs]
    assert after.dimension_p[SOURCE].tolist() == pytest.approx(expected, nan_ok=True)
    assert np.array_equal(np.delete(after.dimension_p, SOURCE, 0), np.delete(before.dimension_p, SOURCE, 0))
    for k in range(len(pairs)):
        if np.isnan(hand[k]):
            assert after.dimension_bits[SOURCE, k] == pytest.approx(before.dimension_bits[SOURCE, k], nan_ok=True)
            continue
        facts = np.nan_to_num(before.dimension_bits[SOURCE, k])
        row = min(hand[k], hands.MOST)
        assert facts + row + after.overlap[SOURCE, k] == pytest.approx(after.dimension_bits[SOURCE, k])


def test_nothing_is_worth_more_than_one_finding_may_be() -> None:
    after = hands.weigh(finding([0.5]), np.array([10_000.0]))
    assert after.dimension_bits[SOURCE, 0] <= hands.MOST
