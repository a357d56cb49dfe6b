"""The accounts of a log as arrays: what signals measure groups on.

Rows are accounts, in the order of their ids. Everything here is derived from the named tables (summaries, traits,
profiles, operators, accounts); nothing is read from the log again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import numba as nb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
P = ParamSpec("P")
R = TypeVar("R")
CAP = 30.0
"""Events from which a member has its full weight in a share over members."""


@dataclass(frozen=True)
class Groups:
    """G groups of accounts: `members` is a G x N matrix of ones."""

    members: sp.csr_matrix

    # what signals share of these groups, with the population it holds for
    _memo: dict[str, tuple[Population, Any]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, lists: Sequence[Ints], size: int) -> Groups:
        """Groups from lists of row indices into a population of `size` accounts."""
        indptr = np.concatenate([[0], np.cumsum([len(rows) for rows in lists])]).astype(np.int64)
        indices = np.concatenate(lists).astype(np.int64) if lists else np.empty(0, np.int64)
        return cls(sp.csr_matrix((np.ones(len(indices)), indices, indptr), shape=(len(lists), size)))

    @classmethod
    def singles(cls, size: int) -> Groups:
        """Every account as a group of its own."""
        return cls(sp.identity(size, format="csr"))

    def __len__(self) -> int:
        return int(self.members.shape[0])

    @property
    def sizes(self) -> Floats:
        """Accounts a group, [G]."""
        return np.diff(self.members.indptr).astype(np.float64)

    @property
    def group_of(self) -> Ints:
        """Group of each membership, [memberships], parallel to `members.indices`."""
        return np.repeat(np.arange(len(self)), np.diff(self.members.indptr))

    def keep(self, population: Population, name: str, make: Callable[[], R]) -> R:
        """What `make` derives from these groups of `population`, computed once; `name` belongs to one maker."""
        kept = self._memo.get(name)
        if kept is None or kept[0] is not population:
            kept = self._memo[name] = (population, make())
        return cast(R, kept[1])

    def sum(self, values: Floats) -> Floats:
        """Sum over members, [G]; an account without a value (NaN) adds nothing."""
        return np.asarray(self.members @ np.where(np.isfinite(values), values, 0.0), dtype=np.float64)

    def count(self, values: Floats) -> Floats:
        """Members that have a value, [G]."""
        return np.asarray(self.members @ np.isfinite(values).astype(np.float64), dtype=np.float64)

    def share(self, part: Floats, whole: Floats) -> Floats:
        """Mean over members of part / whole, a member weighing its `whole`, at most `CAP`, [G]; NaN if none has any.

        The cap lets no heavy member speak for the group: one hand shows in all its accounts.
        """
        weight = np.minimum(np.nan_to_num(whole), CAP)
        return ratio(self.sum(weight * np.nan_to_num(ratio(part, whole))), self.sum(weight))

    def mean(self, values: Floats) -> Floats:
        """Mean over members that have a value, [G]; NaN if none has."""
        return ratio(self.sum(values), self.count(values))

    def sd(self, values: Floats) -> Floats:
        """Standard deviation over members that have a value, [G]; NaN below three of them."""
        n = self.count(values)
        # two passes: the difference of squares would lose the spread of large, nearly equal values
        apart = values[self.members.indices] - self.mean(values)[self.group_of]
        squares = np.bincount(self.group_of, np.where(np.isfinite(apart), apart, 0.0) ** 2, minlength=len(self))
        return np.where(n >= 3, np.sqrt(squares / np.maximum(n - 1, 1)), np.nan)

    def distinct(self, codes: Ints) -> tuple[Floats, Floats]:
        """Distinct codes and members with a code (>= 0), both [G]."""
        distinct, _ = _held(self.members.indptr, self.members.indices, codes, int(codes.max(initial=0)) + 1)
        return distinct, self.sum((codes >= 0).astype(np.float64))

    def largest(self, codes: Ints) -> Floats:
        """Members with the code (>= 0) that most of them have, [G]; 0 where none has any."""
        _, most = _held(self.members.indptr, self.members.indices, codes, int(codes.max(initial=0)) + 1)
        return most


@nb.njit(cache=True, nogil=True)
def _held(indptr, members, codes, width):  # type: ignore[no-untyped-def]
    distinct, most = np.zeros(len(indptr) - 1), np.zeros(len(indptr) - 1)
    # of each code the group that was last seen with it, and its members with it
    last, held = np.full(width, -1), np.zeros(width, np.int64)
    for group in range(len(distinct)):
        for place in range(indptr[group], indptr[group + 1]):
            code = codes[members[place]]
            if code < 0:
                continue
            if last[code] != group:
                last[code], held[code] = group, 0
                distinct[group] += 1
            held[code] += 1
            most[group] = max(most[group], held[code])
    return distinct, most


def ratio(above: Floats, below: Floats) -> Floats:
    """above / below; NaN where below is not positive."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) > 0)


@dataclass(frozen=True)
class Authorisation:
    """What an account's owner registered: the sum of its authorisations' daily quotas, and the total if one was set."""

    id: str
    max_requests_per_day: float
    max_requests_total: float
    disclosed: bool


def _once(method: Callable[Concatenate[Population, P], R]) -> Callable[Concatenate[Population, P], R]:
    """Compute a population's array once and keep it."""

    @wraps(method)
    def kept(self: Population, *args: P.args, **kwargs: P.kwargs) -> R:
        key = (method.__name__, *map(str, args), *map(str, kwargs.values()))
        if key not in self._memo:
            self._memo[key] = method(self, *args, **kwargs)
        return cast(R, self._memo[key])

    return cast("Callable[Concatenate[Population, P], R]", kept)


@dataclass(frozen=True)
class Population:
    """N accounts of one log and what is known of each."""

    ids: npt.NDArray[np.str_]
    summaries: pa.Table
    traits_table: pa.Table | Callable[[str], pa.Table]
    """model.TRAITS, or what reads those of a view."""
    accounts: pa.Table | None = None
    hand: Ints | None = None
    """Operator that each account is proven to belong to, as a number, [N]; -1 where it is not proven; None before
    linking."""
    embedding: npt.NDArray[np.float32] | None = None
    """N x 128 mean of random Fourier features; rows of zeros where an account has no text."""
    releases: Sequence[tuple[str, datetime]] = ()
    authorised: Mapping[int, Authorisation] = field(default_factory=dict)
    """Row of an account -> its authorisation."""
    available: frozenset[str] = frozenset()
    """`events.COLUMN` and `accounts.COLUMN` that hold at least one value in this log."""

    # not an argument, so that `dataclasses.replace` starts an empty one
    _memo: dict[tuple[str, ...], Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.ids)

    def keep(self, name: str, make: Callable[[Population], R]) -> R:
        """What `make` derives from this population, computed once; `name` belongs to one maker."""
        key = ("keep", name)
        if key not in self._memo:
            self._memo[key] = make(self)
        return cast(R, self._memo[key])

    @_once
    def _summary_rows(self) -> tuple[pa.Table, Ints]:
        """Summaries of these accounts, and the row of each."""
        return _rows(self.ids, self.summaries)

    @property
    def days(self) -> npt.NDArray[np.datetime64]:
        """Days of the log that have events, in order, [D]; one stray date decades away adds one day, not thousands."""
        return self._days()

    @_once
    def _days(self) -> npt.NDArray[np.datetime64]:
        return np.unique(self.summaries["day"].to_numpy().astype("datetime64[D]"))

    @_once
    def total(self, name: str, merge: str = "sum") -> Floats:
        """Field `signal.field` merged over an account's days, [N]; NaN where no day has a value."""
        summaries, mine = self._summary_rows()
        values = summaries[name].cast(pa.float64()).to_numpy(zero_copy_only=False)
        known = np.isfinite(values)
        rows: Ints = mine[known]
        out = np.full(len(self), np.nan)
        start = {"sum": 0.0, "min": np.inf, "max": -np.inf}[merge]
        out[rows] = start
        {"sum": np.add, "min": np.minimum, "max": np.maximum}[merge].at(out, rows, values[known])
        return out

    @_once
    def daily(self, name: str) -> Floats:
        """Field `signal.field` day by day, [N, D]; 0 on days without events."""
        summaries, rows = self._summary_rows()
        values = summaries[name].cast(pa.float64()).to_numpy(zero_copy_only=False)
        days = summaries["day"].to_numpy().astype("datetime64[D]")
        out = np.zeros((len(self), len(self.days)))
        np.add.at(out, (rows, np.searchsorted(self.days, days)), np.where(np.isfinite(values), values, 0.0))
        return out

    @_once
    def traits(self, view: str) -> tuple[sp.csr_matrix, npt.NDArray[np.object_]]:
        """View as an N x T matrix of n, and its T tokens (str) in order of their code points."""
        given = self.traits_table if isinstance(self.traits_table, pa.Table) else self.traits_table(view)
        mine = pc.and_(pc.equal(given["view"], view), given["token"].is_valid())
        table, rows = _rows(self.ids, given.filter(mine))
        # one dictionary serves all chunks; to unify it chunk by chunk takes as long as their number times its size
        encoded = table["token"].cast(pa.string()).dictionary_encode().combine_chunks()
        order = pc.sort_indices(encoded.dictionary).to_numpy()
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        n = table["n"].to_numpy().astype(np.float64)
        use = sp.csr_matrix((n, (rows, rank[encoded.indices.to_numpy()])), shape=(len(self), len(order)))
        # objects, not numpy's fixed width: there one long token makes all of them long
        return use, encoded.dictionary.take(order).to_numpy(zero_copy_only=False)

    @_once
    def column(self, name: str) -> pa.ChunkedArray | None:
        """Column of the accounts table in the order of `ids` (null where unknown); None without an accounts table."""
        if self.accounts is None or name not in self.accounts.column_names:
            return None
        place = pc.index_in(pa.array(self.ids, pa.string()), value_set=self.accounts["account_id"].combine_chunks())
        return self.accounts[name].take(place)

    @_once
    def codes(self, name: str) -> Ints:
        """Declared column as whole numbers, -1 where null, [N]."""
        column = self.column(name)
        if column is None:
            return np.full(len(self), -1)
        encoded = column.combine_chunks().dictionary_encode()
        return pc.fill_null(encoded.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)

    def numbers(self, name: str) -> Floats:
        """Declared number, NaN where null, [N]."""
        column = self.column(name)
        if column is None:
            return np.full(len(self), np.nan)
        return column.cast(pa.float64()).to_numpy(zero_copy_only=False)

    def instants(self, name: str) -> npt.NDArray[np.datetime64]:
        """Declared time as datetime64[us], NaT where null, [N]."""
        column = self.column(name)
        if column is None:
            return np.full(len(self), np.datetime64("NaT"), dtype="datetime64[us]")
        return column.cast(pa.timestamp("us")).to_numpy().astype("datetime64[us]")

    def lacks(self, needs: Sequence[str]) -> list[str]:
        """Those of `needs` that this log does not have."""
        return [name for name in needs if name not in self.available]


def _rows(ids: npt.NDArray[np.str_], table: pa.Table) -> tuple[pa.Table, Ints]:
    """Rows of `table` (with account_id) whose account is in `ids`, and its place there."""
    place = pc.index_in(table["account_id"], value_set=pa.array(ids, pa.string()))
    if place.null_count:
        table, place = table.filter(place.is_valid()), place.drop_null()
    return table, place.to_numpy().astype(np.int64)
