"""The stage sketches, traits, operators -> streams: an operator's requests inside accounts that are not its own.

A reseller may carry a harvest among its customers' traffic, a stolen key among its owner's, and a campaign's own
accounts carry cover or relayed customers. Four steps. Which accounts outside hold an operator's marks beyond chance
(`marks`, false-discovery rate over accounts x operators). How much likelier each event is the operator's (`likeness`).
Which events are the stream's, by conversation and by cluster: the end user where the account passes it on, else where
the request came from (`mixture`). And whether a second kind of trace tells the marked requests from the account's other
ones: the customer, the network, the client, the key, or the time.

A stream accuses nobody: it says whose the requests are, not whose the account is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.hashing import hash64_array
from stillwatch.linking import likeness, marks, victims
from stillwatch.linking.fdr import q_values
from stillwatch.linking.matrix import Floats, Ints
from stillwatch.linking.mixture import posterior, told_apart
from stillwatch.model import STREAM_EVENTS, STREAMS, VICTIMS

LN2 = float(np.log(2.0))
MEMBER, RESELLER, VICTIM, MIXED = "member", "reseller", "victim", "mixed"
KINDS = {
    "end_user": ("end_user_id",), "network": ("address_prefix",), "client": ("user_agent", "ja4"), "key": ("key_id",),
}  # fmt: skip
"""Kinds of trace that may tell a stream from the account's other traffic; `time` is one more."""
EXITS = ("address_prefix",)
"""View of the networks that requests leave from."""
ORIGIN = ("address_prefix", "user_agent", "ja4", "key_id")
"""Where a request came from, if the account does not say for whom it is."""
CUSTOMERS = 5
"""End users outside the stream from which an account counts as somebody who resells, whatever it declared."""
EXAMPLES = 8_000
"""Most positive and most negative examples of an operator."""
EACH = 40
"""Negative examples of one account."""
MARKED = {"lead_skeleton": "lead_skeleton", "system_skeleton": "system_skeleton", "tools": "tools_skeleton"}
"""Views of marks, and the column of model.SKETCHES that holds each."""
MOST_ACCOUNTS = 3_000
"""Accounts from which examples are taken."""
BATCH = 400_000
"""Events that are looked at at once."""
COLUMNS = (
    "event_id", "account_id", "time", "conversation_id", "end_user_id", "key_id", "address_prefix", "user_agent", "ja4",
    "lead_skeleton", *likeness.COLUMNS,
)  # fmt: skip


@dataclass(frozen=True)
class Streams:
    """What was found."""

    streams: pa.Table
    """model.STREAMS."""
    events: pa.Table
    """model.STREAM_EVENTS."""
    turns: pa.Table
    """model.VICTIMS: accounts in which a stream from elsewhere began suddenly, whosever the account is."""


@dataclass(frozen=True)
class Suspect:
    """An account that may carry an operator's stream; an operator's own accounts have `log_p` 0 and `q` NaN."""

    member: bool
    log_p: float = 0.0
    q: float = np.nan


def find(
    sketches: ir.Table, traits: pa.Table, operators: pa.Table, accounts: pa.Table | None = None, fdr: float = 0.01
) -> Streams:
    """Streams of all operators; `accounts` as model.ACCOUNTS. Operators of one declared organisation have none."""
    held = marks.Held.of(traits, operators["account_id"])
    eligible = _eligible(operators, accounts)
    tests = float(sum(len(held.ids) - len(members) for _, members, _ in eligible))
    resellers = _resellers(accounts)
    inside = {account for _, members, _ in eligible for account in members}
    exits = marks.Held.of(traits, operators["account_id"], EXITS)
    reader = _Reader(sketches, [account for account in held.ids if account not in inside])
    found = [Streams(STREAMS.empty_table(), STREAM_EVENTS.empty_table(), VICTIMS.empty_table())]
    for operator, members, proven in eligible:
        rows, sure = ([held.place[account] for account in some] for some in (members, proven))
        carried = marks.carriers(held, operator, np.array(rows), np.array(sure), tests, fdr)
        if not len(carried.marks):
            continue
        suspects = {account: Suspect(True) for account in members} | _outside(held, carried, tests, fdr)
        known = pa.table({"view": held.views.take(carried.marks), "token": held.tokens.take(carried.marks)})
        ratio, stray = _learn(reader, known, members, suspects)
        apart = np.array([held.place[account] for account in suspects if account not in members], np.int64)
        places = marks.marks_of(exits.rows, np.array(rows), np.array(sure), apart, fdr)
        look = _Look(operator, suspects, ratio, stray, resellers, set(exits.tokens.take(places).to_pylist()), fdr)
        found += [look.at(_marked(batch, known)) for batch in reader.batches(list(suspects))]
    return _together(found)


def _eligible(operators: pa.Table, accounts: pa.Table | None) -> list[tuple[str, list[str], list[str]]]:
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
    out = []
    for operator, of in sorted(members.items()):
        names = {organisation.get(account) for account in of}
        if len(proven.get(operator, [])) >= marks.LEAST_MEMBERS and not (len(names) == 1 and None not in names):
            out.append((operator, of, proven[operator]))
    return out


def _resellers(accounts: pa.Table | None) -> set[str]:
    """Accounts that signed up as resellers."""
    if accounts is None or "path" not in accounts.column_names:
        return set()
    return set(accounts.filter(pc.fill_null(pc.equal(accounts["path"], RESELLER), False))["account_id"].to_pylist())


def _outside(held: marks.Held, carried: marks.Carriers, tests: float, fdr: float) -> dict[str, Suspect]:
    """Accounts outside that hold an operator's marks beyond chance."""
    q = q_values(carried.log_p, tests)
    found = np.flatnonzero((q <= fdr) & (carried.count >= marks.LEAST_MARKS))
    return {held.ids[carried.tested[k]]: Suspect(False, float(carried.log_p[k]), float(q[k])) for k in found.tolist()}


class _Reader:
    """Events of chosen accounts."""

    def __init__(self, sketches: ir.Table, outside: Sequence[str]) -> None:
        self.sketches = sketches
        self.outside = outside

    @cached_property
    def strangers(self) -> pa.Table:
        """Some events of accounts that are no operator's: examples of what is nobody's in particular."""
        return self.events(_sampled(self.outside, MOST_ACCOUNTS), EACH)

    def batches(self, accounts: Sequence[str]) -> Iterator[pa.Table]:
        """Whole accounts, about `BATCH` events at once, in the order of accounts and time."""
        wanted = ibis.memtable(pa.table({"account_id": pa.array(accounts, pa.string())}))
        counted = self.sketches.semi_join(wanted, "account_id").group_by("account_id").agg(n=ibis._.count())
        sizes = counted.to_pyarrow().sort_by("account_id").to_pydict()
        part: list[str] = []
        total = 0
        for account, n in zip(sizes["account_id"], sizes["n"], strict=True):
            if part and total + n > BATCH:
                yield self.events(part)
                part, total = [], 0
            part.append(account)
            total += n
        if part:
            yield self.events(part)

    def events(self, accounts: Sequence[str], each: int = 0) -> pa.Table:
        """All events of the accounts, or `each` of every account by the hash of what was asked."""
        wanted = ibis.memtable(pa.table({"account_id": pa.array(accounts, pa.string())}))
        t = self.sketches.select(*COLUMNS, *(["item"] if each else [])).semi_join(wanted, "account_id")
        if each:
            order = ibis.window(group_by="account_id", order_by=[t.item, t.time, t.event_id])
            t = t.mutate(nth=ibis.row_number().over(order))
            t = t.filter(t.nth < each)
        read = t.select(*COLUMNS).to_pyarrow()
        return read.sort_by([("account_id", "ascending"), ("time", "ascending"), ("event_id", "ascending")])


def _marked(events: pa.Table, known: pa.Table) -> pa.Table:
    """With a column `marked`: which events hold a mark of the operator; `known` has view and token of each mark."""
    out = np.zeros(len(events), dtype=bool)
    for view, column in MARKED.items():
        tokens = known.filter(pc.equal(known["view"], view))["token"].to_pylist()
        values = pa.array(sorted(int(token) for token in tokens), pa.uint64())
        out |= pc.is_in(events[column], value_set=values).to_numpy()
    return events.append_column("marked", pa.array(out))


def _learn(
    reader: _Reader, known: pa.Table, members: Sequence[str], suspects: Mapping[str, Suspect]
) -> tuple[likeness.Likeness, float]:
    """How much likelier an event is the operator's, and the share of strangers' events that hold a mark."""
    mine = next(reader.batches(_sampled(members, MOST_ACCOUNTS)), reader.strangers.slice(0, 0))
    mine = _marked(mine, known)
    unit = _units(mine)
    asked = np.isin(unit, unit[mine["marked"].to_numpy()])
    theirs = reader.strangers
    free = pc.invert(pc.is_in(theirs["account_id"], value_set=pa.array(sorted(suspects), pa.string())))
    theirs = _marked(theirs.filter(free), known)
    by_chance = theirs["marked"].to_numpy()
    stray = (by_chance.sum() + 1.0) / (len(theirs) + 200.0)
    positive, negative = mine.filter(pa.array(asked)), theirs.filter(pa.array(~by_chance))
    return likeness.fit(_few(positive), _few(negative)), float(stray)


def _sampled(accounts: Sequence[str], most: int) -> list[str]:
    """All, or `most` of them by the hash of their ids."""
    if len(accounts) <= most:
        return list(accounts)
    order = np.argsort(hash64_array(pa.array(accounts, pa.string())), kind="stable")[:most]
    return sorted(accounts[k] for k in order.tolist())


def _few(events: pa.Table) -> pa.Table:
    """At most `EXAMPLES` events, by the hash of their ids."""
    if len(events) <= EXAMPLES:
        return events
    order = np.argsort(hash64_array(events["event_id"]), kind="stable")[:EXAMPLES]
    return events.take(pa.array(np.sort(order)))


def _codes(*columns: pa.ChunkedArray) -> Ints:
    """A number for each combination of values, null among them, [n]."""
    parts = [column.combine_chunks().cast(pa.string()).fill_null("\0") for column in columns]
    joined = pc.binary_join_element_wise(*parts, "\1") if len(parts) > 1 else parts[0]
    return np.asarray(joined.dictionary_encode().indices.to_numpy(zero_copy_only=False), np.int64)


def _units(events: pa.Table) -> Ints:
    """Conversation of each event; an event without one is its own, [n]."""
    return _codes(events["account_id"], pc.coalesce(events["conversation_id"], events["event_id"]))


class _Look:
    """One operator's streams in the suspects, account by account."""

    def __init__(
        self, operator: str, suspects: dict[str, Suspect], ratio: likeness.Likeness, stray: float, resellers: set[str],
        exits: set[str], fdr: float,
    ) -> None:  # fmt: skip
        self.operator, self.suspects, self.ratio = operator, suspects, ratio
        self.by_mark = float(np.log(0.5 / stray)), float(np.log(0.5 / (1.0 - stray)))
        self.resellers, self.exits, self.fdr = resellers, exits, fdr

    def at(self, events: pa.Table) -> Streams:
        """Streams among the events of whole accounts."""
        ratio = self.ratio.log_ratio(events)
        account = _codes(events["account_id"])
        rows, events_found, turns = [], [], []
        for k in range(account.max() + 1 if len(account) else 0):
            place = np.flatnonzero(account == k)
            mine = events.slice(place[0], len(place))
            row, theirs, turn = self._account(mine, ratio[place])
            if row is not None:
                rows.append(row)
                events_found.append(theirs)
                turns += [turn] if turn is not None else []
        return Streams(
            pa.Table.from_pylist(rows, schema=STREAMS),
            pa.concat_tables([STREAM_EVENTS.empty_table(), *events_found]),
            pa.Table.from_pylist(turns, schema=VICTIMS),
        )

    def _account(
        self, events: pa.Table, ratio: Floats
    ) -> tuple[dict[str, Any] | None, pa.Table | None, dict[str, Any] | None]:
        """One account: its row, its events in the stream, and the turn if the stream came from elsewhere."""
        name = events["account_id"][0].as_py()
        suspect = self.suspects[name]
        marked = events["marked"].to_numpy()
        flag, p = self.attribute(events, ratio)
        kinds = self.kinds(events, marked)
        told = {kind for kind, log_p in kinds.items() if log_p + np.log(len(kinds)) <= np.log(self.fdr)}
        sells = name in self.resellers
        # a reseller's networks, clients and keys are its own: only its customers could tell
        could = {"end_user"} & set(kinds) if sells else set(kinds)
        if not flag.any() or (not suspect.member and could and not told):
            return None, None, None
        turn = None if sells else victims.turn(events["time"], _origin(events), flag)
        if turn is None and not sells:
            # where hardly anything is marked, what left through the operator's exits is taken for its own
            more = (
                flag
                | pc.is_in(events["address_prefix"], value_set=pa.array(sorted(self.exits), pa.string())).to_numpy()
            )
            turn = victims.turn(events["time"], _origin(events), more)
            flag = flag if turn is None else more
        customers = set(events["end_user_id"].filter(pa.array(~flag)).drop_null().to_pylist())
        sells |= "end_user" in told and len(customers) >= CUSTOMERS
        times = events["time"].filter(pa.array(flag))
        row = {
            "account_id": name, "operator_id": self.operator,
            "role": MEMBER if suspect.member else VICTIM if turn else RESELLER if sells else MIXED,
            "events": int(flag.sum()), "share": float(flag.mean()), "marked": int(marked[flag].sum()),
            "bits": None if suspect.member else -suspect.log_p / LN2, "q": None if suspect.member else suspect.q,
            "since": times[0].as_py(), "until": times[-1].as_py(), "kinds": ",".join(["content", *sorted(told)]),
        }  # fmt: skip
        theirs = events.filter(pa.array(flag))
        found = pa.table(
            [theirs["event_id"], theirs["account_id"], pa.array([self.operator] * len(theirs), pa.string()),
             pa.array(p[flag]), theirs["marked"]], schema=STREAM_EVENTS,
        )  # fmt: skip
        return row, found, None if turn is None else {"account_id": name, "operator_id": self.operator, **turn}

    def attribute(self, events: pa.Table, ratio: Floats) -> tuple[np.ndarray, Floats]:
        """Which events of an account are the stream's, and how probable that is, [n] each."""
        unit = _units(events)
        n = np.bincount(unit)
        marked = np.bincount(unit, events["marked"].to_numpy()) > 0
        # turns of one conversation say much the same: between counted once and counted each
        score = np.bincount(unit, ratio) / np.sqrt(n) + np.where(marked, *self.by_mark)
        user = events["end_user_id"]
        where = _codes(user, *(pc.if_else(user.is_valid(), "", events[name].cast(pa.string())) for name in ORIGIN))
        first = np.zeros(len(n), np.int64)
        first[unit[::-1]] = where[::-1]
        p = posterior(score, _numbered(first), float(marked.mean()))
        return (p > 0.5)[unit], p[unit]

    def kinds(self, events: pa.Table, marked: np.ndarray) -> dict[str, float]:
        """Natural log p that each kind of trace tells marked conversations from others; kinds with one value not."""
        unit = _units(events)
        n = unit.max() + 1
        first = np.zeros(n, np.int64)
        first[unit[::-1]] = np.arange(len(unit))[::-1]
        hit = np.bincount(unit, marked, n) > 0
        out = {}
        for kind, columns in KINDS.items():
            value = _codes(*(events[name] for name in columns))[first]
            if len(np.unique(value)) > 1:
                out[kind] = told_apart(hit, _numbered(value))
        out["time"] = -victims.change(hit[np.argsort(first, kind="stable")])[1] * LN2
        return out


def _origin(events: pa.Table) -> Ints:
    return _codes(*(events[name] for name in ("address_prefix", "user_agent")))


def _numbered(values: Ints) -> Ints:
    return np.asarray(np.unique(values, return_inverse=True)[1], np.int64).ravel()


def _together(found: Sequence[Streams]) -> Streams:
    """All streams; an event that two operators claim is the one's that has the better claim, then the first's."""
    events = pa.concat_tables([part.events for part in found])
    events = events.sort_by([("event_id", "ascending"), ("p", "descending"), ("operator_id", "ascending")])
    ids = events["event_id"].to_numpy(zero_copy_only=False)
    events = events.filter(pa.array(np.concatenate([[True], ids[1:] != ids[:-1]]) if len(ids) else np.empty(0, bool)))
    streams = pa.concat_tables([part.streams for part in found])
    order = [("account_id", "ascending"), ("operator_id", "ascending")]
    return Streams(streams.sort_by(order), events, pa.concat_tables([part.turns for part in found]).sort_by(order))


def settled(found: Streams, separated: victims.Separated) -> Streams:
    """The streams once the victims are known: under the operators' new ids, and with the roles that follow."""
    robbed = set(zip(*(separated.victims[name].to_pylist() for name in ("account_id", "operator_id")), strict=True))
    streams = victims.mapped(found.streams, separated.renamed)
    keys = zip(*(streams[name].to_pylist() for name in ("account_id", "operator_id", "role")), strict=True)
    roles = [
        VICTIM if (account, operator) in robbed else MIXED if role == VICTIM else role
        for account, operator, role in keys
    ]
    place = streams.schema.get_field_index("role")
    streams = streams.set_column(place, "role", pa.array(roles, pa.string()))
    return Streams(streams, victims.mapped(found.events, separated.renamed), found.turns)
