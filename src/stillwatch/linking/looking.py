"""Which of an account's events are an operator's, and whether anything but their content tells them from the others.

By conversation and by cluster: the end user where the account passes it on, else where the request came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.linking import victims
from stillwatch.linking.dealing import CODED, Batch, numbered
from stillwatch.linking.matrix import Floats, Ints
from stillwatch.linking.mixture import posterior, told_apart
from stillwatch.linking.suspects import Cases
from stillwatch.model import STREAM_EVENTS, STREAMS, VICTIMS

LN2 = float(np.log(2.0))
MEMBER, RESELLER, VICTIM, MIXED = "member", "reseller", "victim", "mixed"
KINDS = {"end_user": "user", "network": "network", "client": "client", "key": "key"}
"""Kinds of trace that may tell a stream from the account's other traffic, by column; `time` is one more."""
CUSTOMERS = 5
"""End users outside the stream from which an account counts as somebody who resells, whatever it declared."""


@dataclass(frozen=True)
class Found:
    """Streams of some accounts."""

    streams: pa.Table
    events: pa.Table
    turns: pa.Table


class Look:
    """Streams of all cases, batch by batch."""

    def __init__(self, of: Cases, stray: Sequence[float], resellers: set[str], fdr: float) -> None:
        self.of, self.resellers, self.fdr = of, resellers, fdr
        self.names = pa.array(of.ids, pa.string())
        self.operators = pa.array([case.operator for case in of.cases], pa.string())
        self.by_mark = [(float(np.log(0.5 / share)), float(np.log(0.5 / (1.0 - share)))) for share in stray]

    def at(self, batch: Batch) -> Found:
        """Streams among the events of whole accounts; an event that two claim is the one's with the better claim."""
        traffic = _Traffic(batch)
        rows, turns = [], []
        taken, p = np.zeros(len(batch), bool), np.zeros(len(batch))
        for g in range(len(batch.starts) - 1):
            low, high = batch.starts[g], batch.starts[g + 1]
            found = self._account(traffic, g)
            if found is not None:
                row, taken[low:high], p[low:high], turn = found
                rows.append(row)
                turns += [turn] if turn is not None else []
        place = _best(taken, p, batch.column("row"))
        case, account = (pa.array(batch.column(name)[place]) for name in ("case", "account"))
        events = pa.table(
            [batch.ids(place).cast(pa.string()), self.names.take(account), self.operators.take(case),
             pa.array(p[place]), pa.array(traffic.marked[place])], schema=STREAM_EVENTS,
        )  # fmt: skip
        return Found(pa.Table.from_pylist(rows, schema=STREAMS), events, pa.Table.from_pylist(turns, schema=VICTIMS))

    def _account(
        self, traffic: _Traffic, g: int
    ) -> tuple[dict[str, Any], npt.NDArray[np.bool_], Floats, dict[str, Any] | None] | None:
        """One account and case: row, events in the stream and their p, and the turn if it came from elsewhere."""
        one = traffic.one(g)
        name, case = self.of.ids[one.account], self.of.cases[one.case]
        suspect = case.suspects[one.account]
        flag, p = one.attribute(*self.by_mark[one.case])
        kinds = one.kinds()
        told = {kind for kind, log_p in kinds.items() if log_p + np.log(len(kinds)) <= np.log(self.fdr)}
        sells = name in self.resellers
        # a reseller's networks, clients and keys are its own: only its customers could tell
        could = {"end_user"} & set(kinds) if sells else set(kinds)
        if not flag.any() or (not suspect.member and could and not told):
            return None
        turn = None if sells else victims.turn(one.times, one.of("origin"), flag)
        if turn is None and not sells and one.exits.any():
            # where hardly anything is marked, what left through the operator's exits is taken for its own
            more = flag | one.exits
            turn = victims.turn(one.times, one.of("origin"), more)
            flag = flag if turn is None else more
        users = one.of("user")[~flag & one.of_users]
        sells |= "end_user" in told and len(users) >= CUSTOMERS and len(np.unique(users)) >= CUSTOMERS
        place = np.flatnonzero(flag)
        row = {
            "account_id": name, "operator_id": case.operator,
            "role": MEMBER if suspect.member else VICTIM if turn else RESELLER if sells else MIXED,
            "events": len(place), "share": float(flag.mean()), "marked": int(one.marked[place].sum()),
            "bits": None if suspect.member else -suspect.log_p / LN2, "q": None if suspect.member else suspect.q,
            "since": int(one.times[place[0]]), "until": int(one.times[place[-1]]),
            "kinds": ",".join(["content", *sorted(told)]),
        }  # fmt: skip
        return row, flag, p, None if turn is None else {"account_id": name, "operator_id": case.operator, **turn}


class _Traffic:
    """What is the same for every account of a batch, worked out for all at once."""

    def __init__(self, batch: Batch) -> None:
        starts = self.starts = batch.starts
        self.account, self.case = batch.column("account")[starts[:-1]], batch.column("case")[starts[:-1]]
        self.times, self.marked, self.exits = (batch.column(name) for name in ("time", "marked", "exit"))
        self.of_users = batch.column("user") != 0
        self.codes = {name: numbered(batch.column(name), starts) for name in CODED}
        self.first, self.score, self.hit, self.size, self.units = _conversations(
            self.codes["unit"], batch.column("ratio"), self.marked, starts
        )

    def one(self, g: int) -> _One:
        """Account and case number `g`."""
        return _One(self, slice(self.starts[g], self.starts[g + 1]), slice(self.units[g], self.units[g + 1]), g)


class _One:
    """One account's events, in order of time, as one case sees them."""

    def __init__(self, traffic: _Traffic, events: slice, units: slice, g: int) -> None:
        self.account, self.case = int(traffic.account[g]), int(traffic.case[g])
        self.times, self.marked, self.exits = traffic.times[events], traffic.marked[events], traffic.exits[events]
        self.of_users = traffic.of_users[events]
        self._codes, self._events = traffic.codes, events
        self.first, self.hit = traffic.first[units], traffic.hit[units]
        self._score, self._size = traffic.score[units], traffic.size[units]

    def of(self, name: str) -> Ints:
        """Numbers of a column's values, [n]."""
        return self._codes[name][self._events]

    def attribute(self, with_mark: float, without: float) -> tuple[npt.NDArray[np.bool_], Floats]:
        """Which events are the stream's, and how probable that is, [n] each; log ratios of what a mark says."""
        # turns of one conversation say much the same: between counted once and counted each
        score = self._score / np.sqrt(self._size) + np.where(self.hit, with_mark, without)
        p = posterior(score, self.of("where")[self.first], float(self.hit.mean()))
        unit = self.of("unit")
        return (p > 0.5)[unit], p[unit]

    def kinds(self) -> dict[str, float]:
        """Natural log p that each kind of trace tells marked conversations from others; kinds with one value not."""
        out = {}
        for kind, column in KINDS.items():
            value = self.of(column)[self.first]
            if (value != value[0]).any():
                out[kind] = told_apart(self.hit, value)
        out["time"] = -victims.change(self.hit)[1] * LN2
        return out


@nb.njit(cache=True, nogil=True)
def _conversations(unit, ratio, marked, starts):  # type: ignore[no-untyped-def]
    """Of each conversation: its first event within the account, sum of log ratios, whether one is marked, events;
    and where each account's begin, [G + 1]."""
    begins = np.zeros(len(starts), np.int64)
    for g in range(len(starts) - 1):
        most = -1
        for k in range(starts[g], starts[g + 1]):
            most = max(most, unit[k])
        begins[g + 1] = begins[g] + most + 1
    first, score = np.empty(begins[-1], np.int64), np.zeros(begins[-1])
    hit, size = np.zeros(begins[-1], np.bool_), np.zeros(begins[-1])
    for g in range(len(starts) - 1):
        for k in range(starts[g], starts[g + 1]):
            at = begins[g] + unit[k]
            if size[at] == 0:
                first[at] = k - starts[g]
            score[at] += ratio[k]
            size[at] += 1
            hit[at] |= marked[k]
    return first, score, hit, size, begins


def _best(taken: npt.NDArray[np.bool_], p: Floats, row: Ints) -> Ints:
    """Places of the events that are taken, each once: where p is highest, of these where it stands first."""
    place = np.flatnonzero(taken)
    order = np.lexsort((place, -p[place], row[place]))
    first = np.concatenate([[True], np.diff(row[place][order]) != 0]) if len(place) else np.empty(0, bool)
    return np.sort(place[order[first]])
