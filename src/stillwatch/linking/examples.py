"""What an operator's events are like and nobody's in particular: examples of both, for all operators in two passes.

The first pass reads what tells whose an event is and draws the examples, the second reads what they are like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.hashing import hash64_array
from stillwatch.linking import likeness
from stillwatch.linking.matrix import Ints
from stillwatch.linking.reading import Source, hashed, joined, numbers, parts
from stillwatch.linking.suspects import MARKED, Cases, Holding

EXAMPLES = 8_000
"""Most positive and most negative examples of an operator."""
EACH = 40
"""Negative examples of one account."""
MOST_ACCOUNTS = 3_000
"""Accounts from which examples are taken."""
MOST_EVENTS = 400_000
"""Events of an operator's accounts among which examples are sought: whole accounts, the first by their ids."""
COLUMNS = ("event_id", "time", "conversation_id", "item", *MARKED.values())
HELD_AT_ONCE = 1_000_000
"""Strangers' events that are held before those that are no examples are dropped."""


@dataclass(frozen=True)
class Learnt:
    """Of one operator."""

    likeness: likeness.Likeness
    stray: float
    """Share of strangers' events that hold one of its marks."""


@dataclass
class _Own:
    """Events of the operators' accounts, piece by piece."""

    case: list[Ints] = field(default_factory=list)
    row: list[Ints] = field(default_factory=list)
    unit: list[npt.NDArray[np.uint64]] = field(default_factory=list)
    event: list[npt.NDArray[np.uint64]] = field(default_factory=list)
    marked: list[npt.NDArray[np.bool_]] = field(default_factory=list)


def learn(source: Source, of: Cases, sizes: Ints) -> list[Learnt]:
    """One for each case; `sizes` are the events of each account, [A]."""
    holding = {column: Holding([case.marks[column] for case in of.cases]) for column in MARKED.values()}
    own, strangers = _drawn(source, of, _members(of, sizes), holding)
    positive = _positive(own, len(of.cases))
    negative, stray = _negative(strangers, of, holding)
    wide = _Wide(source, np.unique(np.concatenate([np.empty(0, np.int64), *positive, *negative])))
    return [
        Learnt(likeness.fit(wide.take(mine), wide.take(theirs)), share)
        for mine, theirs, share in zip(positive, negative, stray, strict=True)
    ]


def sampled(ids: Sequence[str], places: Ints, most: int) -> Ints:
    """All, or `most` of some accounts by the hash of their ids, in order."""
    if len(places) <= most:
        return np.sort(places)
    order = np.argsort(hash64_array(pa.array([ids[k] for k in places.tolist()], pa.string())), kind="stable")
    return np.sort(places[order[:most]])


def _members(of: Cases, sizes: Ints) -> Ints:
    """Case among whose accounts each account is learnt from, -1 for none, [A]."""
    out = np.full(len(of.ids), -1)
    for k, case in enumerate(of.cases):
        chosen = sampled(of.ids, case.members, MOST_ACCOUNTS)
        chosen = chosen[sizes[chosen] > 0]
        first = np.cumsum(sizes[chosen]) <= MOST_EVENTS
        first[:1] = True
        out[chosen[first]] = k
    return out


def _drawn(source: Source, of: Cases, member: Ints, holding: dict[str, Holding]) -> tuple[_Own, pa.Table]:
    """Events of members, and the first `EACH` of strangers by what was asked."""
    strange = np.zeros(len(of.ids) + 1, bool)
    strange[sampled(of.ids, np.flatnonzero(~of.inside), MOST_ACCOUNTS)] = True
    member = np.append(member, -1)  # of accounts that are unknown
    own, strangers = _Own(), _Strangers()
    for part in parts(source, COLUMNS, pa.array(of.ids, pa.string())):
        row = np.flatnonzero(member[part.account] >= 0)
        events = part.events.take(pa.array(row))
        case = member[part.account[row]]
        conversation = pc.coalesce(events["conversation_id"], events["event_id"])
        own.case.append(case)
        own.row.append(part.start + row)
        own.unit.append(joined(hashed(conversation), part.account[row].astype(np.uint64)))
        own.event.append(hash64_array(events["event_id"]))
        own.marked.append(marked(events, holding, np.arange(len(row)), case))
        strangers.add(part.events, part.account, np.flatnonzero(strange[part.account]), part.start)
    return own, strangers.table()


def marked(events: pa.RecordBatch, holding: dict[str, Holding], row: Ints, case: Ints) -> npt.NDArray[np.bool_]:
    """Whether event `row` holds a mark of `case`, [P] each."""
    out = np.zeros(len(row), bool)
    for column, of in holding.items():
        of.add(out, *numbers(events[column]), row, case)
    return out


class _Strangers:
    """The least events of each account, by what was asked, while all of them go by."""

    def __init__(self) -> None:
        self.pieces: list[pa.Table] = []
        self.held = 0

    def add(self, events: pa.RecordBatch, account: Ints, row: Ints, start: int) -> None:
        names = ["event_id", "time", "item", *MARKED.values()]
        chosen = pa.Table.from_batches([events.select(names).take(pa.array(row))])
        chosen = chosen.append_column("account", pa.array(account[row])).append_column("row", pa.array(start + row))
        self.pieces.append(chosen)
        self.held += len(row)
        if self.held > HELD_AT_ONCE:
            self.pieces, self.held = [self.table()], 0

    def table(self) -> pa.Table:
        """At most `EACH` an account."""
        if not self.pieces:
            return pa.table({})
        held = pa.concat_tables(self.pieces).combine_chunks()
        order = [(name, "ascending") for name in ("account", "item", "time", "event_id")]
        held = held.take(pc.sort_indices(held, sort_keys=order))
        account = held["account"].to_numpy()
        nth = np.arange(len(held)) - np.searchsorted(account, account)
        return held.filter(pa.array(nth < EACH))


def _positive(own: _Own, cases: int) -> list[Ints]:
    """Places in the log of events in conversations in which a mark stands, for each case."""
    if not own.case:
        return [np.empty(0, np.int64) for _ in range(cases)]
    case, row = np.concatenate(own.case), np.concatenate(own.row)
    unit, event = np.concatenate(own.unit), np.concatenate(own.event)
    asked = np.isin(unit, unit[np.concatenate(own.marked)])
    out = []
    for k in range(cases):
        mine = np.flatnonzero(asked & (case == k))
        out.append(_few(row[mine], event[mine]))
    return out


def _negative(strangers: pa.Table, of: Cases, holding: dict[str, Holding]) -> tuple[list[Ints], list[float]]:
    """Places in the log of strangers' events without a mark, and the share of those with one, for each case."""
    if not len(strangers):
        return [np.empty(0, np.int64) for _ in of.cases], [1.0 / 200.0 for _ in of.cases]
    events = strangers.combine_chunks().to_batches()[0]
    account, place = events["account"].to_numpy(), events["row"].to_numpy()
    hashes = hash64_array(events["event_id"])
    rows, stray = [], []
    for k, case in enumerate(of.cases):
        suspect = np.fromiter(case.suspects, np.int64, len(case.suspects))
        free = np.flatnonzero(~np.isin(account, suspect))
        hit = marked(events, holding, free, np.full(len(free), k))
        stray.append(float((hit.sum() + 1.0) / (len(free) + 200.0)))
        theirs = free[~hit]
        rows.append(_few(place[theirs], hashes[theirs]))
    return rows, stray


def _few(row: Ints, hashes: npt.NDArray[np.uint64]) -> Ints:
    """At most `EXAMPLES` places, in the order of the hashes of their events' ids, however the log is sorted."""
    return row[np.argsort(hashes, kind="stable")[:EXAMPLES]]


class _Wide:
    """Events at some places of the log, with all that says what they are like."""

    def __init__(self, source: Source, rows: Ints) -> None:
        self.rows = rows
        pieces = []
        for part in parts(source, likeness.COLUMNS, pa.array([], pa.string())) if len(rows) else ():
            low, high = np.searchsorted(rows, [part.start, part.start + len(part.events)])
            events = pa.Table.from_batches([part.events.select(likeness.COLUMNS)])
            events = events.take(pa.array(rows[low:high] - part.start))
            pieces.append(events.cast(likeness.EMPTY.schema))
        self.events = pa.concat_tables(pieces).combine_chunks() if pieces else None

    def take(self, rows: Ints) -> pa.Table:
        """Events at `rows`, which are among those that were read."""
        if self.events is None:
            return likeness.EMPTY
        return self.events.take(pa.array(np.searchsorted(self.rows, rows)))
