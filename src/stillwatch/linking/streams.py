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

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.engine.inorder import threaded
from stillwatch.hashing import hash64_array
from stillwatch.linking import examples, likeness, reading, suspects, victims
from stillwatch.linking.claims import Claims
from stillwatch.linking.dealing import RECORD, Dealt
from stillwatch.linking.looking import MIXED, RESELLER, VICTIM, Look
from stillwatch.linking.reading import Source, hashed, joined
from stillwatch.linking.scoring import Scoring
from stillwatch.model import STREAMS, VICTIMS

COLUMNS = (
    "event_id", "time", "conversation_id", "end_user_id", "key_id", "address_prefix", "user_agent", "ja4",
    "lead_skeleton", *likeness.COLUMNS,
)  # fmt: skip
VIEWS = (*suspects.MARKED, *suspects.EXITS)
"""Views of traits that finding streams takes."""


@dataclass(frozen=True)
class Streams:
    """What was found."""

    streams: pa.Table
    """model.STREAMS."""
    events: Claims
    """model.STREAM_EVENTS, on disk."""
    turns: pa.Table
    """model.VICTIMS: accounts in which a stream from elsewhere began suddenly, whosever the account is."""


def find(
    sketches: Source,
    traits: pa.Table,
    operators: pa.Table,
    accounts: pa.Table | None = None,
    fdr: float = 0.01,
    scratch: Path | None = None,
    threads: int = 1,
) -> Streams:
    """Streams of all operators; `accounts` as model.ACCOUNTS. Operators of one declared organisation have none.

    Reads `sketches` four times, three times a few columns, and keeps what it needs of suspects' events in `scratch`
    (None: where the system has temporary files), about 130 bytes an event.
    """
    of = suspects.cases(traits, operators, accounts, fdr)
    del traits  # as large as all that follows
    claims, rows, turned = Claims(scratch), [STREAMS.empty_table()], [VICTIMS.empty_table()]
    if of.cases:
        sizes = reading.sizes(sketches, pa.array(of.ids, pa.string()))
        learnt = examples.learn(sketches, of, sizes)
        look = Look(of, [one.stray for one in learnt], _resellers(accounts), fdr)
        scoring = Scoring([one.likeness for one in learnt])
        dealt = _dealt(sketches, of, sizes, scoring, scratch, threads)
        # one after the other, and none kept: it may be an account of millions of events that several cases suspect
        for here in map(look.at, dealt.batches()):
            claims.add(here.events)
            rows.append(here.streams)
            turned.append(here.turns)
    order = [("account_id", "ascending"), ("operator_id", "ascending")]
    return Streams(pa.concat_tables(rows).sort_by(order), claims, pa.concat_tables(turned).sort_by(order))


def _resellers(accounts: pa.Table | None) -> set[str]:
    """Accounts that signed up as resellers."""
    if accounts is None or "path" not in accounts.column_names:
        return set()
    return set(accounts.filter(pc.fill_null(pc.equal(accounts["path"], RESELLER), False))["account_id"].to_pylist())


def _dealt(
    sketches: Source, of: suspects.Cases, sizes: np.ndarray, scoring: Scoring, scratch: Path | None, threads: int
) -> Dealt:
    """Events of all suspects, as every case that suspects them sees them, by account."""
    seeing = _Seeing(of, scoring)
    out = Dealt(sizes * seeing.number[:-1], scratch)
    parts = reading.parts(sketches, COLUMNS, pa.array(of.ids, pa.string()))
    for records, ids in threaded(seeing.records, parts, threads, threads + 1):
        out.add(records, ids)
    return out


class _Seeing:
    """What each case sees of an event in an account that it suspects."""

    def __init__(self, of: suspects.Cases, scoring: Scoring) -> None:
        starts, self.cases = of.pairs()
        self.scoring = scoring
        self.number = np.append(np.diff(starts), 0)  # of accounts that are unknown
        self.starts = np.append(starts[:-1], 0)
        self.holding = {
            name: suspects.Holding([case.marks[name] for case in of.cases]) for name in suspects.MARKED.values()
        }
        self.exits = suspects.Holding([case.exits for case in of.cases])

    def records(self, part: reading.Part) -> tuple[np.ndarray, pa.Array]:
        """RECORD and event ids, one for each event and case that suspects its account."""
        times = self.number[part.account]
        row = np.repeat(np.arange(len(times)), times)
        nth = np.arange(len(row)) - np.repeat(np.cumsum(times) - times, times)
        case = self.cases[self.starts[part.account[row]] + nth]
        events, records = part.events, np.zeros(len(row), RECORD)
        records["account"], records["case"], records["row"] = part.account[row], case, part.start + row
        records["time"] = events["time"].cast(pa.int64()).to_numpy()[row]
        records["ratio"] = self.scoring.log_ratio(events, row, case)
        records["marked"] = examples.marked(events, self.holding, row, case)
        for name, values in _traces(events).items():
            records[name] = values[row]
        left, networks = np.zeros(len(row), bool), events["address_prefix"]
        self.exits.add(left, hashed(networks), networks.is_valid().to_numpy(False), row, case)
        records["exit"] = left
        return records, events["event_id"].take(pa.array(row))


def _traces(events: pa.RecordBatch) -> dict[str, reading.Hashes]:
    """Hashes of what may tell one event from another, [n] each."""
    user, network, agent, ja4, key = (
        hashed(events[name]) for name in ("end_user_id", "address_prefix", "user_agent", "ja4", "key_id")
    )
    # where a request came from, if the account does not say for whom it is
    elsewhere = joined(network, agent, ja4, key)
    return {
        "unit": hash64_array(pc.coalesce(events["conversation_id"], events["event_id"])),
        "user": user, "network": network, "client": joined(agent, ja4), "key": key, "origin": joined(network, agent),
        "where": np.where(user != 0, user, elsewhere),
    }  # fmt: skip


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
    return Streams(streams, found.events.renamed(separated.renamed), found.turns)
