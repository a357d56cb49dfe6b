"""An operator's marks: templates that its members hold and hardly anybody else, and who else holds many of them.

Which accounts outside carry an operator's traffic is tested account by account. Statistic: how many of the marks an
account holds. Null: it holds them at the rate at which the log's other accounts do, per template that it holds at all,
and that rate differs from account to account as widely as it does among them, exponentially at the least: so the count
is negative binomial. An account's own holding never makes a template a mark, and accounts that are found leave the null
of the next round: a dozen robbed customers would otherwise excuse each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from scipy.stats import binom, nbinom

from stillwatch.linking.fdr import q_values
from stillwatch.linking.matrix import Floats, Ints

VIEWS = ("lead_skeleton", "system_skeleton", "tools")
LEAST_MEMBERS = 5
"""Proven members from which an operator has marks of its own."""
LEAST_HELD = 3
"""Members that must hold a mark."""
ELSEWHERE = 0.5
"""Most other accounts that may hold it besides the one in question, for each member that does."""
LEAST_MARKS = 3
"""Fewer marks are no stream, however rare they are."""
TRIM = 0.05
"""Share of the accounts outside, those with most marks for what they hold, that is left out of the null's rate."""
ROUNDS = 3


@dataclass(frozen=True)
class Held:
    """Who holds which template: accounts in the order of their ids."""

    ids: list[str]
    place: dict[str, int]
    rows: sp.csr_matrix
    """Ones, [accounts, templates]; only templates that enough accounts hold to be a mark: most have one holder."""
    views: pa.Array
    tokens: pa.Array
    """Of each template."""
    different: Floats
    """How many templates each account holds, those among them that hardly anybody else does, [accounts]."""

    @classmethod
    def of(cls, traits: pa.Table, accounts: pa.Array, views: tuple[str, ...] = VIEWS) -> Held:
        """From model.TRAITS; `accounts` are all ids of the log."""
        ids = sorted(set(accounts.to_pylist()))
        chosen = traits.filter(pc.is_in(traits["view"], value_set=pa.array(views)))
        token = chosen["token"].dictionary_encode().combine_chunks()
        row, view = (
            pc.index_in(chosen[name], value_set=pa.array(known, pa.string())).to_numpy().astype(np.int64)
            for name, known in (("account_id", ids), ("view", views))
        )
        width = max(len(token.dictionary), 1)
        column = view * width + token.indices.to_numpy()
        rows = sp.csr_matrix((np.ones(len(row), bool), (row, column)), shape=(len(ids), len(views) * width))
        different = np.diff(rows.indptr).astype(np.float64)
        shared = np.flatnonzero(np.bincount(rows.indices, minlength=rows.shape[1]) >= LEAST_HELD)
        kinds, tokens = pa.array(views, pa.string()).take(pa.array(shared // width)), pa.array(shared % width)
        return cls(
            ids, {name: k for k, name in enumerate(ids)}, rows[:, shared].astype(np.float64), kinds,
            token.dictionary.take(tokens), different,
        )  # fmt: skip

    @cached_property
    def total(self) -> Floats:
        """Accounts that hold each template."""
        return np.asarray(self.rows.sum(axis=0), np.float64).ravel()

    @cached_property
    def columns(self) -> sp.csc_matrix:
        """`rows`, quick to cut by templates."""
        return self.rows.tocsc()


@dataclass(frozen=True)
class Carriers:
    """One operator's marks, and the accounts outside that hold more of them than chance gives."""

    operator: str
    marks: Ints
    """Columns of `Held.rows`."""
    tested: Ints
    """Accounts outside, [T]."""
    log_p: Floats
    """Natural, [T]."""
    count: Ints
    """Marks that each holds, [T]."""


def marks_of(held: Held, members: Ints, proven: Ints, left_out: Ints, fdr: float) -> Ints:
    """Templates that are marks of the operator with these members, seen from any one account outside.

    Of those who hold it, more must be members than chance gives if everybody holds templates in proportion to how many
    different ones it holds at all: an exact binomial tail, at the false-discovery rate over all templates that enough
    members hold. `left_out`: accounts whose holding does not count against it.
    """
    apart = np.unique(np.concatenate([members, left_out]))
    rows, different = held.rows, held.different
    by = np.asarray(rows[proven].sum(axis=0)).ravel()
    elsewhere = np.maximum(held.total - np.asarray(rows[apart].sum(axis=0)).ravel() - 1.0, 0.0)
    tried = np.flatnonzero((by >= LEAST_HELD) & (elsewhere <= ELSEWHERE * by))
    others = max(float(different.sum() - different[apart].sum()), 1.0)
    share = different[proven].sum() / (different[proven].sum() + others)
    chance = np.asarray(binom.logsf(by[tried] - 1, by[tried] + elsewhere[tried], share), np.float64)
    return tried[q_values(chance, float((by >= LEAST_HELD).sum())) <= fdr]


def log_p(count: Ints, exposure: Floats, null: np.ndarray) -> Floats:
    """Natural log of the chance to hold so many marks, [T]; `null` [T] says whose counts make the rate.

    Negative binomial with mean rate x exposure; its shape by moments, and never above 1.
    """
    of, held = count[null].astype(np.float64), exposure[null]
    keep = np.argsort(of / np.maximum(held, 1.0), kind="stable")[: max(1, int(np.ceil(len(of) * (1.0 - TRIM))))]
    of, held = of[keep], held[keep]
    # one account more, of middling size, that holds one mark: no rate is nought
    rate = (of.sum() + 1.0) / (held.sum() + max(float(np.median(held)), 1.0)) if len(of) else 1.0
    mean = rate * held
    spread = float((((of - mean) ** 2) - mean).sum() / max((mean**2).sum(), 1e-12)) if len(of) else 1.0
    shape = 1.0 / max(spread, 1.0)
    expected = rate * exposure
    tail = np.asarray(nbinom.logsf(count - 1, shape, shape / (shape + expected)), np.float64)
    return np.where(count > 0, tail, 0.0)


def carriers(held: Held, operator: str, members: Ints, proven: Ints, tests: float, fdr: float) -> Carriers:
    """Test all accounts outside; `tests` is the number of pairs of account and operator in the whole log."""
    tested = np.setdiff1d(np.arange(len(held.ids)), members)
    exposure = held.different[tested]
    out = np.empty(0, np.int64)
    for _ in range(ROUNDS):
        marks = marks_of(held, members, proven, out, fdr)
        count = np.asarray(held.columns[:, marks].sum(axis=1)).ravel().astype(np.int64)[tested]
        chance = log_p(count, exposure, ~np.isin(tested, out))
        found = tested[(q_values(chance, tests) <= fdr) & (count >= LEAST_MARKS)]
        if not len(np.setdiff1d(found, out)):
            break
        out = np.union1d(out, found)
    return Carriers(operator, marks, tested, chance, count)
