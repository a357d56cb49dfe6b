"""What a peer says of a log, in one shape for all: links between accounts, or a score for each, and one threshold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Answer:
    """One peer, one setting, one world.

    A linker gives links: at threshold t the groups are the connected components of links of weight >= t. A detector
    gives scores: accounts of score >= t, each by itself, or together where they have one block (>= 0).
    """

    accounts: list[str]
    a: Ints
    b: Ints
    weight: Floats
    """Links [m] between places in `accounts`; the larger the weight, the surer."""
    score: Floats
    """[accounts], NaN where the peer says nothing; empty for a linker."""
    block: Ints
    """[accounts], -1 for none; empty for a linker."""

    @property
    def links(self) -> bool:
        """Whether it is a linker's."""
        return len(self.score) == 0

    @property
    def grouped(self) -> bool:
        """Whether it says who belongs together."""
        return self.links or bool((self.block >= 0).any())

    def values(self) -> Floats:
        """Thresholds at which something changes, ascending."""
        found = self.weight if self.links else self.score[np.isfinite(self.score)]
        return np.unique(found)

    def groups(self, threshold: float) -> Ints:
        """Group of each account at a threshold, [accounts]; who is in none is alone."""
        n = len(self.accounts)
        if self.links:
            keep = self.weight >= threshold
            graph = coo_matrix((np.ones(int(keep.sum())), (self.a[keep], self.b[keep])), shape=(n, n))
            return connected_components(graph, directed=False)[1].astype(np.int64)
        out = np.arange(n, dtype=np.int64)
        joined = self.said(threshold) & (self.block >= 0)
        out[joined] = n + self.block[joined]
        return out

    def said(self, threshold: float) -> Bools:
        """Of a detector: accounts at or above the threshold."""
        return np.nan_to_num(self.score, nan=-np.inf) >= threshold

    def accused(self, threshold: float, least: int, customer: Ints, registered: Bools) -> Bools:
        """Accounts accused at a threshold, [accounts].

        In groups of at least `least` declared customers (a detector without blocks: each by itself), and not of a
        registered use.
        """
        group = self.groups(threshold)
        pairs = np.unique(np.stack([group, customer]), axis=1)
        size = np.bincount(pairs[0], minlength=int(group.max(initial=0)) + 1)
        found = size[group] >= least
        if not self.links:
            found = self.said(threshold) & (found | (self.block < 0))
        return found & ~registered

    def save(self, file: Path) -> None:
        """As .npz."""
        names = np.array(self.accounts)
        np.savez_compressed(
            file, accounts=names, a=self.a, b=self.b, weight=self.weight, score=self.score, block=self.block
        )

    @classmethod
    def load(cls, file: Path) -> Answer:
        """As saved."""
        with np.load(file) as found:
            rest = [found[name] for name in ("a", "b", "weight", "score", "block")]
            return cls(found["accounts"].tolist(), *rest)


def linked(accounts: list[str], a: npt.ArrayLike, b: npt.ArrayLike, weight: npt.ArrayLike) -> Answer:
    """From links, reduced to the strongest ones that give the same components at every threshold."""
    x, y, w = np.asarray(a, np.int64), np.asarray(b, np.int64), np.asarray(weight, np.float64)
    keep = spanning(len(accounts), x, y, w)
    empty = np.empty(0)
    return Answer(accounts, x[keep], y[keep], w[keep], empty, empty.astype(np.int64))


def scored(accounts: list[str], score: npt.ArrayLike, block: npt.ArrayLike | None = None) -> Answer:
    """From a score for each account."""
    values = np.asarray(score, np.float64)
    blocks = np.full(len(values), -1, np.int64) if block is None else np.asarray(block, np.int64)
    nothing = np.empty(0, np.int64)
    return Answer(accounts, nothing, nothing, np.empty(0), values, blocks)


def spanning(n: int, a: Ints, b: Ints, weight: Floats) -> Ints:
    """Places of the links of a maximum spanning forest: single linkage at any threshold needs no others."""
    low, high = np.minimum(a, b), np.maximum(a, b)
    order = np.argsort(-weight, kind="stable")
    order = order[low[order] != high[order]]
    # of several links of a pair the strongest; costs are ranks, so that equal or huge weights are told apart
    _, first = np.unique(low[order] * n + high[order], return_index=True)
    order = order[np.sort(first)]
    cost = csr_matrix((np.arange(1.0, len(order) + 1), (low[order], high[order])), shape=(n, n))
    ranks = minimum_spanning_tree(cost).data.astype(np.int64)
    return order[np.sort(ranks) - 1]
