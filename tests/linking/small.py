"""Small logs for the twins."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from stillwatch.linking.matrix import Incidence, incidence
from stillwatch.linking.null import Null, null
from stillwatch.linking.strata import Strata
from stillwatch.linking.views import view_of

SCALES = (0.3, 0.1, 0.03)


VIEWS = ("address", "address_prefix", "payment")


def shared_tokens(nodes: int, seed: int, names: tuple[str, ...] = VIEWS) -> Incidence:
    """Random holders with uneven volumes and popularities."""
    rng = np.random.default_rng(seed)
    matrices = []
    for _ in names:
        popularity = rng.beta(0.4, 4, 30)
        activity = rng.beta(2, 2, nodes) * 2
        held = rng.random((nodes, 30)) < np.minimum(popularity[None, :] * activity[:, None], 1)
        held[1] |= held[0] | (rng.random(30) < 0.1)  # two nodes in one hand
        held[2] |= held[0]
        held[0] |= (popularity < 0.05) & (rng.random(30) < 0.5)
        held[1] |= held[0]
        matrices.append(sp.csr_matrix(held.astype(np.int64)))
    return incidence([view_of(name) for name in names], matrices, nodes)


def small_null(nodes: int, seed: int, *, strata: bool) -> Null:
    """Null of a small log, with two countries and an application, or without."""
    rng = np.random.default_rng(seed + 1)
    shared = shared_tokens(nodes, seed)
    around = Strata.none(nodes)
    if strata:
        around = Strata(rng.integers(0, 3, nodes), rng.integers(0, 2, nodes), rng.integers(0, 2, nodes))
    return null(shared, around, SCALES)
