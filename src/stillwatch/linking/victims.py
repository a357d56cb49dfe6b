"""Victims apart from attackers: an account with a life of its own into which an operator's traffic came.

A stolen key puts an operator's stream into somebody's account, and that stream links the account to the operator. What
tells the owner from a hired account is order: the owner's own traffic came before, and the foreign stream starts
sharply. Test: if the account's own and foreign events were mixed in random order, the chance of so few foreign ones
among the k first is hypergeometric: exact; the best k counts, times the number of those tried. (The owner may have
asked something in the operator's words before: a tenth is allowed.) The two streams must also come from different
addresses or clients, and the owner's must not move to those of the foreign one, which separates the owner from an
operator that warms its accounts up or covers its traffic. Nor may the account have been opened with an operator's
means, or with its accounts. Which events are foreign is said by `streams`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.linking.mixture import log_lower
from stillwatch.linking.operators import name
from stillwatch.model import VICTIMS

MEANS = ("payment", "phone", "signup_burst")
"""Views of what an account was opened with."""
LEAST_OWN = 20
"""Events of its own that an owner has sent, on at least `LEAST_DAYS` days."""
LEAST_BEFORE = 5
"""Of these, before the turn: how few they are is in the chance of the turn."""
LEAST_DAYS = 3
DAY = 86_400_000_000
"""Microseconds."""
LEAST_BITS = 20.0
LEAST_BITS_OLD = 10.0
"""Enough of a turn for who goes on beside the thief from where no foreign event comes, and had the account for
`SETTLED` and longer than nine in ten of the operator's accounts have theirs: of a theft in a log's first days the log
holds little from before."""
STRAY = 0.1
"""Most of the events before the turn that may look foreign."""
OLDEST = 0.1
"""An owner is older than nine in ten of the operator's accounts, where sign-ups are known, or has been there for
`SETTLED` before the turn."""
SETTLED = timedelta(days=30)
"""Measured where a ring spreads its own sign-ups over six months (three worlds, two of them with a probe before the
harvest): by the first rule 12 of 39 owners with a turn were taken for hired, by both none, and one of 126 accounts of
the rings more passes for a victim."""
MOST_OVERLAP = 0.1
"""Largest share of foreign events that may come from an origin the owner had used before."""
MOST_SHARED = 0.75
"""Largest share of the owner's events after the turn that may come from origins of the foreign ones.

Nearly all of a hired account's cover does; an owner and a thief may both use a cloud.
"""


@dataclass(frozen=True)
class Separated:
    """Operators without their victims, each of whom stands alone."""

    operators: pa.Table
    victims: pa.Table
    """model.VICTIMS."""
    renamed: dict[str, str] = field(default_factory=dict)
    """Operator that lost its least member to the victims -> its new id."""


def change(foreign: np.ndarray) -> tuple[int, float]:
    """Where a stream of flags, in order of time, turns foreign, and -log2 p of so sharp a turn in random order.

    Tried is every place at which a foreign event stands with at most `STRAY` of those before it foreign; the first of
    the best. (0, 0.0) if there is none.
    """
    places = np.flatnonzero(foreign)
    before = np.arange(len(places))
    tried = np.flatnonzero((places >= 1) & (before <= STRAY * places))
    if not len(tried):
        return 0, 0.0
    log_p = log_lower(before[tried], len(foreign), len(places), places[tried])
    best = int(log_p.argmin())
    return int(places[tried[best]]), float(max(-(log_p[best] + np.log(len(tried))) / np.log(2), 0.0))


def turn(times: np.ndarray, origin: np.ndarray, foreign: np.ndarray) -> dict[str, object] | None:
    """Where one account's events, in order of time, turn foreign: bits, own and foreign events, since; None if not.

    Of less than `LEAST_BITS` a turn is one for an old account alone (`separate`).
    times: [n] microseconds; origin: [n] numbers, where each event came from; foreign: [n] whether it is a stream's.
    """
    start, bits = change(foreign)
    own = np.flatnonzero(~foreign)
    before, theirs = own[own < start], start + np.flatnonzero(foreign[start:])
    if bits < LEAST_BITS_OLD or len(own) < LEAST_OWN or len(before) < LEAST_BEFORE:
        return None
    if len(np.unique(times[own] // DAY)) < LEAST_DAYS:
        return None
    if np.isin(origin[theirs], origin[before]).mean() > MOST_OVERLAP:
        return None
    after = own[own > start]
    shared = np.isin(origin[after], origin[theirs])
    if len(after) and shared.mean() > MOST_SHARED:
        return None
    if bits < LEAST_BITS and (len(after) < LEAST_OWN or shared.any()):
        return None
    found = {"bits": bits, "own_events": len(foreign) - len(theirs), "foreign_events": len(theirs)}
    return {**found, "since": int(times[start])}


def separate(operators: pa.Table, turns: pa.Table, traits: pa.Table, accounts: pa.Table | None = None) -> Separated:
    """The victims among accounts with a turn (`streams.Streams.turns`), each of whom stands alone from now on.

    A thief does not share the owner's card, phone or sign-up, and did not open the account; `accounts` as
    model.ACCOUNTS.
    """
    if not len(turns):
        return Separated(operators, VICTIMS.empty_table())
    turns = turns.filter(_unrelated(turns, operators, traits))
    if accounts is None:
        turns = turns.filter(pc.greater_equal(turns["bits"], LEAST_BITS))
    else:
        turns = turns.filter(_older(turns, operators, accounts))
    # the strongest claim on an account that two operators came into
    turns = turns.sort_by([("account_id", "ascending"), ("bits", "descending"), ("operator_id", "ascending")])
    ids = turns["account_id"].to_pylist()
    victims = turns.filter(pa.array([k == 0 or ids[k] != ids[k - 1] for k in range(len(ids))], pa.bool_()))
    victims = victims.select(VICTIMS.names).cast(VICTIMS)
    gone = pc.is_in(operators["account_id"], value_set=victims["account_id"].combine_chunks())
    alone = [name(str(account)) for account in operators["account_id"].to_pylist()]
    kept = operators.set_column(
        operators.schema.get_field_index("operator_id"),
        "operator_id",
        pc.if_else(gone, pa.array(alone, pa.string()), operators["operator_id"]),
    )
    fresh = _renamed(kept, gone)
    pairs = zip(operators["operator_id"].to_pylist(), fresh["operator_id"].to_pylist(), gone.to_pylist(), strict=True)
    renamed = {old: new for old, new, left in pairs if not left and old != new}
    return Separated(fresh, mapped(victims, renamed), renamed)


def mapped(table: pa.Table, renamed: Mapping[str, str]) -> pa.Table:
    """A table under the operators' new ids."""
    if not renamed:
        return table
    ids = table["operator_id"]
    place = pc.index_in(ids, value_set=pa.array(list(renamed), pa.string()))
    new = pc.coalesce(pa.array(list(renamed.values()), pa.string()).take(place), ids)
    return table.set_column(table.schema.get_field_index("operator_id"), "operator_id", new)


def _unrelated(turns: pa.Table, operators: pa.Table, traits: pa.Table) -> pa.Array:
    """Which share none of the `MEANS` with an account of the operator that has no turn itself."""
    means = traits.filter(pc.is_in(traits["view"], value_set=pa.array(MEANS)))
    of = dict(zip(operators["account_id"].to_pylist(), operators["operator_id"].to_pylist(), strict=True))
    accounts, views, tokens = (means[name].to_pylist() for name in ("account_id", "view", "token"))
    holders: dict[tuple[str, str], set[str]] = {}
    held: dict[str, list[tuple[str, str]]] = {}
    for account, *token in zip(accounts, views, tokens, strict=True):
        held.setdefault(account, []).append((token[0], token[1]))
        holders.setdefault((token[0], token[1]), set()).add(account)
    turned, keep = set(turns["account_id"].to_pylist()), []
    for account, operator in zip(turns["account_id"].to_pylist(), turns["operator_id"].to_pylist(), strict=True):
        others = {other for token in held.get(account, []) for other in holders[token]} - turned
        keep.append(not any(of.get(other) == operator for other in others))
    return pa.array(keep, pa.bool_())


def _older(victims: pa.Table, operators: pa.Table, accounts: pa.Table) -> pa.Array:
    """Which were opened before nearly all of the operator's accounts or long before the turn; unknown age is old.

    Where the turn is less than `LEAST_BITS`, both, and known.
    """
    known = dict(zip(accounts["account_id"].to_pylist(), accounts["created_at"].to_pylist(), strict=True))
    turned = set(victims["account_id"].to_pylist())
    opened: dict[str, list[datetime]] = {}
    for account, operator in zip(
        operators["account_id"].to_pylist(), operators["operator_id"].to_pylist(), strict=True
    ):
        if known.get(account) is not None and account not in turned:
            opened.setdefault(operator, []).append(known[account])
    keep = []
    for row in victims.to_pylist():
        own, others = known.get(row["account_id"]), sorted(opened.get(row["operator_id"], []))
        firm = row["bits"] >= LEAST_BITS
        if own is None or not others:
            keep.append(firm)
        else:
            old = row["since"] - own >= SETTLED, own <= others[int(OLDEST * (len(others) - 1))]
            keep.append(any(old) if firm else all(old))
    return pa.array(keep, pa.bool_())


def _renamed(operators: pa.Table, gone: pa.ChunkedArray) -> pa.Table:
    """Operators are called after their least member: it may have been the victim."""
    ids, names = operators["account_id"].to_pylist(), operators["operator_id"].to_pylist()
    least: dict[tuple[str, bool], str] = {}
    flags = gone.to_pylist()
    for account, operator, left in sorted(zip(ids, names, flags, strict=True)):
        least.setdefault((operator, left), account)
    fresh = [operator if left else name(least[operator, left]) for operator, left in zip(names, flags, strict=True)]
    return operators.set_column(1, "operator_id", pa.array(fresh, pa.string()))
