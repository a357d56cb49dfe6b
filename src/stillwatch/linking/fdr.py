"""False-discovery rate over hypotheses most of which were never looked at."""

from __future__ import annotations

import numpy as np

from stillwatch.linking.matrix import Floats


def q_values(log_p: Floats, tests: float) -> Floats:
    """Benjamini and Hochberg (1995): least rate at which each is a discovery; untested hypotheses count as p = 1."""
    if tests >= len(log_p) and (some := log_p < 0).sum() < len(log_p):
        # p = 1 is never a discovery and changes no other: mostly there is nothing else
        out = np.ones(len(log_p))
        out[some] = q_values(log_p[some], tests)
        return out
    order = np.argsort(log_p, kind="stable")
    raw = log_p[order] + np.log(max(tests, 1.0)) - np.log(np.arange(1, len(log_p) + 1))
    out = np.empty(len(log_p))
    out[order] = np.exp(np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 0.0)) if len(log_p) else raw
    return out
