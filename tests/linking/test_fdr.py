"""False-discovery rates: by the definition of Benjamini and Hochberg, however many hypotheses have p = 1."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.linking.fdr import q_values


def slow(log_p: list[float], tests: float) -> list[float]:
    """Least of p x tests / rank over all that are at least as large, one by one."""
    order = sorted(range(len(log_p)), key=lambda k: log_p[k])
    out, least = [0.0] * len(log_p), 1.0
    for rank in range(len(order), 0, -1):
        k = order[rank - 1]
        least = min(least, float(np.exp(log_p[k])) * max(tests, 1.0) / rank)
        out[k] = least
    return out


@given(st.lists(st.one_of(st.just(0.0), st.floats(-60, 0)), max_size=40), st.floats(0.5, 200))
@settings(deadline=None)
def test_rates_are_those_of_the_definition(log_p: list[float], tests: float) -> None:
    found = q_values(np.array(log_p, dtype=np.float64), tests)
    np.testing.assert_allclose(found, slow(log_p, tests), rtol=1e-9)
