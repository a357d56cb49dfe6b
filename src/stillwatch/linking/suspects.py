"""Operators whose streams are looked for, and the accounts in which: their own, and those that hold their marks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numba as nb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.hashing import hash64_array, mix
from stillwatch.linking import marks
from stillwatch.linking.fdr import q_values
from stillwatch.linking.matrix import Ints
from stillwatch.linking.reading import Hashes

EXITS = ("address_prefix",)
"""View of the networks that requests leave from."""
MARKED = {"lead_skeleton": "lead_skeleton", "system_skeleton": "system_skeleton", "tools": "tools_skeleton"}
"""Views of marks, and the column of model.SKETCHES that holds each."""


@dataclass(frozen=True)
class Suspect:
    """An account that may carry an operator's stream; an operator's own accounts have `log_p` 0 and `q` NaN."""

    member: bool
    log_p: float = 0.0
    q: float = np.nan


@dataclass(frozen=True)
class Case:
    """One operator."""

    operator: str
    members: Ints
    """Places of its accounts in `Held.ids`."""
    suspects: Mapping[int, Suspect]
    """Of each account's place, members among them."""
    marks: Mapping[str, Hashes]
    """Values that are marks, by the column of model.SKETCHES in which they stand."""
    exits: Hashes
    """Networks that its members use and hardly anybody else."""


@dataclass(frozen=True)
class Cases:
    """All operators that have marks, in the order of their ids."""

    ids: list[str]
    """All accounts of the log, in order."""
    inside: npt.NDArray[np.bool_]
    """Which belong to an operator that is large enough to have marks, [A]."""
    cases: list[Case]

    def pairs(self) -> tuple[Ints, Ints]:
        """Places of the cases that suspect each account: starts [A + 1], and cases, account by account."""
        account = [np.fromiter(case.suspects, np.int64, len(case.suspects)) for case in self.cases]
        case = np.repeat(np.arange(len(self.cases)), [len(part) for part in account])
        return grouped(np.concatenate([np.empty(0, np.int64), *account]), case, len(self.ids))


def grouped(key: Ints, value: Ints, keys: int) -> tuple[Ints, Ints]:
    """Values by key: starts [keys + 1], and the values of each in order."""
    order = np.lexsort((value, key))
    starts = np.zeros(keys + 1, np.int64)
    np.cumsum(np.bincount(key, minlength=keys), out=starts[1:])
    return starts, value[order].astype(np.int64)


def cases(traits: pa.Table, operators: pa.Table, accounts: pa.Table | None, fdr: float) -> Cases:
    """Who is to be looked at; operators of one declared organisation are not."""
    held = marks.Held.of(traits, operators["account_id"])
    exits = marks.Held.of(traits, operators["account_id"], EXITS)
    eligible = list(_eligible(operators, accounts))
    tests = float(sum(len(held.ids) - len(members) for _, members, _ in eligible))
    inside, found = np.zeros(len(held.ids), bool), []
    for operator, members, proven in eligible:
        rows, sure = (np.array([held.place[account] for account in some]) for some in (members, proven))
        inside[rows] = True
        carried = marks.carriers(held, operator, rows, sure, tests, fdr)
        if not len(carried.marks):
            continue
        outside = _outside(carried, tests, fdr)
        apart = np.fromiter(outside, np.int64, len(outside))
        suspects = {place: Suspect(True) for place in rows.tolist()} | outside
        places = marks.marks_of(exits, rows, sure, apart, fdr)
        left = hash64_array(exits.tokens.take(places))
        found.append(Case(operator, rows, suspects, _columns(held, carried.marks), left))
    return Cases(held.ids, inside, found)


def _eligible(operators: pa.Table, accounts: pa.Table | None) -> Iterator[tuple[str, list[str], list[str]]]:
    """Operators with enough proven members, unless all declare one organisation: id, members, proven members."""
    organisation: dict[str, str | None] = {}
    if accounts is not None and "org_id" in accounts.column_names:
        organisation = dict(zip(accounts["account_id"].to_pylist(), accounts["org_id"].to_pylist(), strict=True))
    members: dict[str, list[str]] = {}
    proven: dict[str, list[str]] = {}
    columns = (operators[name].to_pylist() for name in ("account_id", "operator_id", "proven"))
    for account, operator, sure in sorted(zip(*columns, strict=True)):
        members.setdefault(operator, []).append(account)
        if sure:
            proven.setdefault(operator, []).append(account)
    for operator, of in sorted(members.items()):
        names = {organisation.get(account) for account in of}
        if len(proven.get(operator, [])) >= marks.LEAST_MEMBERS and not (len(names) == 1 and None not in names):
            yield operator, of, proven[operator]


def _outside(carried: marks.Carriers, tests: float, fdr: float) -> dict[int, Suspect]:
    """Accounts outside that hold an operator's marks beyond chance."""
    q = q_values(carried.log_p, tests)
    found = np.flatnonzero((q <= fdr) & (carried.count >= marks.LEAST_MARKS))
    return {int(carried.tested[k]): Suspect(False, float(carried.log_p[k]), float(q[k])) for k in found.tolist()}


def _columns(held: marks.Held, chosen: Ints) -> dict[str, Hashes]:
    views, tokens = held.views.take(chosen), held.tokens.take(chosen)
    return {
        column: np.array([int(token) for token in tokens.filter(pc.equal(views, view)).to_pylist()], np.uint64)
        for view, column in MARKED.items()
    }


class Holding:
    """Which values of a column belong to which cases."""

    def __init__(self, of: Sequence[Hashes]) -> None:
        values, code = np.unique(np.concatenate([np.empty(0, np.uint64), *of]), return_inverse=True)
        case = np.repeat(np.arange(len(of)), [len(part) for part in of])
        self.starts, self.cases = grouped(code.reshape(-1).astype(np.int64), case, len(values))
        self.keys, self.places = _table(values)

    def add(
        self, out: npt.NDArray[np.bool_], values: Hashes, there: npt.NDArray[np.bool_], row: Ints, case: Ints
    ) -> None:
        """Set `out` [P] where the value of event `row` belongs to `case`, [P] each; `values` and `there` are [n]."""
        _held(out, values, there, row, case, self.starts, self.cases, self.keys, self.places)


@nb.njit(cache=True, nogil=True)
def _table(values):  # type: ignore[no-untyped-def]
    """Where each value's number stands, in a table of open addresses at most half full: keys and numbers, -1 empty."""
    size = 2
    while size < 2 * len(values):
        size *= 2
    keys, places = np.zeros(size, np.uint64), np.full(size, -1, np.int64)
    for k in range(len(values)):
        at = np.int64(mix(values[k])) & (size - 1)
        while places[at] >= 0:
            at = (at + 1) & (size - 1)
        keys[at], places[at] = values[k], k
    return keys, places


@nb.njit(cache=True, nogil=True)
def _held(out, values, there, row, case, starts, cases, keys, places):  # type: ignore[no-untyped-def]
    size = len(keys)
    for k in range(len(out)):
        if not there[row[k]]:
            continue
        value = values[row[k]]
        at = np.int64(mix(value)) & (size - 1)
        while places[at] >= 0 and keys[at] != value:
            at = (at + 1) & (size - 1)
        number = places[at]
        if number >= 0:
            for one in range(starts[number], starts[number + 1]):
                if cases[one] == case[k]:
                    out[k] = True
