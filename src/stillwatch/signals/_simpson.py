"""Concentration of a group's events on few tokens."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from stillwatch.population import Floats, ratio


def simpson(counts: sp.csr_matrix, events: Floats) -> Floats:
    """Simpson's index (1949): the chance that two of a group's events carry the same token, [G].

    `counts` is G x T; tokens of a single event may be left out, they add (almost) nothing.
    """
    # not counts.multiply(counts), which matches the two matrices entry by entry
    squared = sp.csr_matrix((counts.data * counts.data, counts.indices, counts.indptr), shape=counts.shape)
    squares = np.asarray(squared.sum(axis=1), dtype=np.float64).ravel()
    return ratio(squares, events**2)
