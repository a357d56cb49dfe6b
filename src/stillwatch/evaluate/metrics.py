"""Numbers that compare two partitions of the same accounts, and the exact interval of a rate.

Partitions are arrays of whole numbers, one an account: `found[k]` is the group that the run put account k into,
`true[k]` its real operator. Only the equality of numbers counts, so renaming groups changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Contingency:
    """How two partitions cut each other: the cells that hold at least one account, and the sizes of both sides."""

    cell_of: Ints
    """Cell of each account, [n]."""
    row: Ints
    """Found group of each cell, [cells]."""
    column: Ints
    """True operator of each cell, [cells]."""
    cells: Ints
    """Accounts a cell, [cells]."""
    rows: Ints
    """Accounts a found group."""
    columns: Ints
    """Accounts a true operator."""

    @classmethod
    def of(cls, found: npt.ArrayLike, true: npt.ArrayLike) -> Contingency:
        """From two partitions of the same accounts, both [n]."""
        rows, row_of = np.unique(np.asarray(found), return_inverse=True)
        columns, column_of = np.unique(np.asarray(true), return_inverse=True)
        width = max(len(columns), 1)
        keys, cell_of, cells = np.unique(row_of * width + column_of, return_inverse=True, return_counts=True)
        return cls(
            cell_of.astype(np.int64),
            (keys // width).astype(np.int64),
            (keys % width).astype(np.int64),
            cells.astype(np.int64),
            np.bincount(row_of, minlength=len(rows)).astype(np.int64),
            np.bincount(column_of, minlength=len(columns)).astype(np.int64),
        )

    @property
    def pairs(self) -> tuple[float, float, float]:
        """Pairs of accounts together in both partitions, in the found one, in the true one."""
        return _pairs(self.cells), _pairs(self.rows), _pairs(self.columns)


def _pairs(sizes: Ints) -> float:
    return float((sizes.astype(np.float64) * (sizes - 1) / 2).sum())


def adjusted_rand(found: npt.ArrayLike, true: npt.ArrayLike) -> float:
    """Adjusted Rand index (Hubert and Arabie 1985): 1 the same partition, 0 as good as chance; NaN for no account."""
    table = Contingency.of(found, true)
    n = len(table.cell_of)
    if n == 0:
        return float("nan")
    both, in_found, in_true = table.pairs
    expected = in_found * in_true / max(n * (n - 1) / 2, 1)
    largest = (in_found + in_true) / 2
    return 1.0 if largest == expected else (both - expected) / (largest - expected)


def pair_scores(found: npt.ArrayLike, true: npt.ArrayLike) -> tuple[float, float]:
    """Share of pairs put together that belong together, and share of those that do that were put; NaN for no pair."""
    both, in_found, in_true = Contingency.of(found, true).pairs
    return _share(both, in_found), _share(both, in_true)


def b_cubed(found: npt.ArrayLike, true: npt.ArrayLike, of: Bools | None = None) -> tuple[float, float]:
    """B-cubed precision and recall (Bagga and Baldwin 1998), averaged over the accounts `of` (all of them if None).

    An account's precision is the share of its found group that has its true operator; its recall is the share of its
    true operator that is in its found group. Groups are always whole, also with `of`. NaN for no account.
    """
    table = Contingency.of(found, true)
    together = table.cells[table.cell_of].astype(np.float64)
    precision = together / table.rows[table.row][table.cell_of]
    recall = together / table.columns[table.column][table.cell_of]
    chosen = np.ones(len(together), np.bool_) if of is None else np.asarray(of, np.bool_)
    if not chosen.any():
        return float("nan"), float("nan")
    return float(precision[chosen].mean()), float(recall[chosen].mean())


def strangers(found: npt.ArrayLike, true: npt.ArrayLike, least: int) -> Bools:
    """Accounts in found groups of at least `least` that are not of the group's largest true operator, [n].

    A group of which no two accounts have one operator has no owner: all of its accounts are strangers there. Of two
    largest operators the one that comes first in `true`'s order owns the group.
    """
    table = Contingency.of(found, true)
    owner = np.full(len(table.rows), -1, np.int64)
    # from the smallest to the largest, and within a size from the last to the first: what is written last stays
    order = np.lexsort((-table.column, table.cells))
    order = order[table.cells[order] >= 2]
    owner[table.row[order]] = table.column[order]
    wrong = (table.rows[table.row] >= least) & (owner[table.row] != table.column)
    return wrong[table.cell_of]


def clopper_pearson(hits: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a binomial rate (Clopper and Pearson 1934); (0, 1) if nothing was looked at."""
    if not 0 <= hits <= of:
        raise ValueError(f"{hits} of {of} is not a rate")
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, of - hits + 1))
    high = 1.0 if hits == of else float(beta.ppf(1 - tail, hits + 1, of - hits))
    return low, high


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
