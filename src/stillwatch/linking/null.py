"""The null: nodes hold tokens independently, each as often as its volume and the token's popularity say.

Node i holds token a at rate d_i r_a(i), r_a(i) = d_a / E plus what its country or application adds (Chung and Lu 2002,
the sparse form of the bipartite configuration model of Saracco et al. 2015). Two nodes share tokens at rates
d_i d_j r_a(i) r_a(j). A shared token scores w_a(tau) = max(0, log(tau N / d_a)): what many share weighs nothing by
itself. The score is compound Poisson, so for every theta > 0

    log P(score >= S) <= d_i d_j K(theta) - theta S,   K(theta) = sum_a r_a(i) r_a(j) (exp(theta w_a) - 1)

(Chernoff). K is tabulated for each view, scale, theta and pair of strata, so a pair costs O(1) however popular its
tokens are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from stillwatch.linking.matrix import Floats, Incidence, Ints
from stillwatch.linking.strata import Excess, Strata, excess

THETAS = np.array([0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 1.0, 1.25, 1.6, 2.0, 3.0, 5.0, 8.0])


@dataclass(frozen=True)
class Null:
    """Weights and tables of one set of views."""

    shared: Incidence
    weights: Floats
    """w_a(tau), [T, A]."""
    more: Excess
    base: Floats
    """sum g g f, [V, T, H], with f = exp(theta w) - 1 and g = d_a / E."""
    cross: Floats
    """sum g x_s f, [V, S, T, H], x_s the excess of stratum s."""
    both: npt.NDArray[np.float32]
    """sum x_s x_t f, [V, S, S, T, H]."""

    def table(self, view: int, i: int, j: int) -> Floats:
        """K(theta) of nodes i and j, [T, H]: the definition, for the slow twin and for explanations."""
        out = self.base[view].copy()
        for s in self.more.member[i]:
            out += self.cross[view, s]
            for t in self.more.member[j]:
                out += self.both[view, s, t]
        for t in self.more.member[j]:
            out += self.cross[view, t]
        return out


def weights(shared: Incidence, scales: tuple[float, ...]) -> Floats:
    """w_a(tau) = max(0, log(tau N_v / d_a)), N_v the nodes with any token of the view, [T, A]."""
    active = np.maximum((shared.volume > 0).sum(axis=0), 1).astype(np.float64)[shared.view]
    ratio = np.log(active / np.maximum(shared.degree, 1))
    # a token of one node is never shared, however rare: it weighs nothing
    return np.where(shared.degree > 1, np.maximum(0.0, np.log(np.array(scales))[:, None] + ratio[None, :]), 0.0)


def null(shared: Incidence, of: Strata, scales: tuple[float, ...]) -> Null:
    """Tables for `shared` under the strata `of`."""
    w = weights(shared, scales)
    more = excess(shared, of)
    V, T, S, H = len(shared.views), len(scales), more.excess.shape[0], len(THETAS)
    base, cross = np.zeros((V, T, H)), np.zeros((V, S, T, H))
    both = np.zeros((V, S, S, T, H), dtype=np.float32)
    share, columns = shared.share(), more.excess.tocsc()
    for v in range(V):
        a = np.flatnonzero(shared.view == v)
        # weights depend on the degree alone, so tokens of one degree are added up first: exact, and quick
        degrees, first, place = np.unique(shared.degree[a], return_index=True, return_inverse=True)
        f = np.expm1(THETAS[None, :, None] * w[:, None, a[first]]).reshape(T * H, len(degrees))
        base[v] = (f @ np.bincount(place, weights=share[a] ** 2)).reshape(T, H)
        x = columns[:, a[0] : a[-1] + 1].tocsc()
        by_degree = sp.csr_matrix((share[a], (np.arange(len(a)), place)), shape=(len(a), len(degrees)))
        cross[v] = ((x @ by_degree) @ f.T).reshape(S, T, H)
        some = np.unique(place[np.diff(x.indptr) > 0])
        if len(some):
            # tokens of one degree side by side, so that each lot is a slice
            order = np.argsort(place, kind="stable")
            side_by_side, ends = x[:, order], np.cumsum(np.bincount(place))
            starts = ends - np.bincount(place)
            squares = np.stack([_square(side_by_side[:, starts[d] : ends[d]]) for d in some])
            both[v] = (f[:, some] @ squares.reshape(len(some), -1)).T.reshape(S, S, T, H)
    return Null(shared, w, more, base, cross, both)


def _square(x: sp.csc_matrix) -> Floats:
    """x x^T, dense, [S, S]."""
    return np.asarray((x.tocsr() @ x.T).toarray(), dtype=np.float64)


def large(shared: Incidence, w: Floats, least: int) -> Ints:
    """Tokens that more than `least` nodes hold and that still weigh something, [tokens]."""
    return np.flatnonzero((shared.degree > least) & (w.max(axis=0, initial=0.0) > 0))
