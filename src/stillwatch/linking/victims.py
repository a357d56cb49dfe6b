"""Victims apart from attackers: an account with a life of its own into which an operator's traffic came.

A stolen key puts an operator's stream into somebody's account, and that stream links the account to the operator. What
tells the owner from a hired account is order: the owner's own traffic came before, and the foreign stream starts
sharply. Test: if the account's own and foreign events were mixed in random order, the chance of so few foreign ones
among the k first is hypergeometric: exact; the best k counts, times the number of those tried. (The owner may have
asked something in the operator's words before: a tenth is allowed.) The two streams must also come from different
addresses or clients, which separates the owner from an operator that warms its accounts up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import hypergeom

from stillwatch.linking.operators import name
from stillwatch.model import VICTIMS

VIEWS = ("system_skeleton", "lead_skeleton")
EXITS = "address_prefix"
"""View of the networks that requests leave from."""
LEAST_MEMBERS = 5
"""Operators smaller than this have no stream of their own that could be told from a member's."""
LEAST_OWN = 20
"""Events of its own that an owner has sent, on at least `LEAST_DAYS` days."""
LEAST_DAYS = 3
LEAST_BITS = 20.0
STRAY = 0.1
"""Most of the events before the turn that may look foreign."""
OLDEST = 0.1
"""An owner is older than nine in ten of the operator's accounts, where sign-ups are known."""
MOST_OVERLAP = 0.1
"""Largest share of foreign events that may come from an origin the owner had used before."""


@dataclass(frozen=True)
class Separated:
    """Operators without their victims, each of whom stands alone."""

    operators: pa.Table
    victims: pa.Table
    """model.VICTIMS."""


def typical(traits: pa.Table, operators: pa.Table) -> pa.Table:
    """Templates and exits that are an operator's own: held mostly by its members, templates by a fifth of them.

    Columns operator_id, view, token. A pool has more exits than any member uses, so three that share one are enough.
    """
    views = pa.array([*VIEWS, EXITS])
    rows = traits.filter(pc.is_in(traits["view"], value_set=views)).select(["account_id", "view", "token"])
    size = operators.group_by("operator_id").aggregate([("account_id", "count")])
    joined = rows.join(operators.select(["account_id", "operator_id"]), "account_id")
    inside = joined.group_by(["view", "token", "operator_id"]).aggregate([("account_id", "count")])
    inside = inside.rename_columns(["view", "token", "operator_id", "held"])
    everywhere = inside.group_by(["view", "token"]).aggregate([("held", "sum")])
    whole = inside.join(everywhere, ["view", "token"]).join(size, "operator_id")
    own = pc.and_(
        pc.greater_equal(pc.multiply(whole["held"], 2), whole["held_sum"]),
        pc.and_(
            pc.or_(
                pc.greater_equal(pc.multiply(whole["held"], 5), whole["account_id_count"]),
                pc.equal(whole["view"], EXITS),
            ),
            pc.greater_equal(whole["held"], 3),
        ),
    )
    return whole.filter(pc.and_(own, pc.greater_equal(whole["account_id_count"], LEAST_MEMBERS))).select(
        ["operator_id", "view", "token"]
    )


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
    log_p = np.asarray(hypergeom.logcdf(before[tried], len(foreign), len(places), places[tried]))
    best = int(log_p.argmin())
    return int(places[tried[best]]), float(max(-(log_p[best] + np.log(len(tried))) / np.log(2), 0.0))


def separate(sketches: ir.Table, traits: pa.Table, operators: pa.Table, accounts: pa.Table | None = None) -> Separated:
    """Find the victims among the members of every operator, and let each stand alone; `accounts` as model.ACCOUNTS."""
    templates = typical(traits, operators)
    if not len(templates):
        return Separated(operators, VICTIMS.empty_table())
    streams = _streams(sketches, templates, operators)
    victims = _victims(streams)
    if accounts is not None:
        victims = victims.filter(_older(victims, operators, accounts))
    gone = pc.is_in(operators["account_id"], value_set=victims["account_id"].combine_chunks())
    alone = [name(str(account)) for account in operators["account_id"].to_pylist()]
    kept = operators.set_column(
        operators.schema.get_field_index("operator_id"),
        "operator_id",
        pc.if_else(gone, pa.array(alone, pa.string()), operators["operator_id"]),
    )
    return Separated(_renamed(kept, gone), victims)


def _older(victims: pa.Table, operators: pa.Table, accounts: pa.Table) -> pa.Array:
    """Which were opened before nearly all of the operator's accounts; those of unknown age count as old."""
    known = dict(zip(accounts["account_id"].to_pylist(), accounts["created_at"].to_pylist(), strict=True))
    opened: dict[str, list[datetime]] = {}
    for account, operator in zip(
        operators["account_id"].to_pylist(), operators["operator_id"].to_pylist(), strict=True
    ):
        if known.get(account) is not None:
            opened.setdefault(operator, []).append(known[account])
    keep = []
    for row in victims.to_pylist():
        own, others = known.get(row["account_id"]), sorted(opened.get(row["operator_id"], []))
        keep.append(own is None or not others or own <= others[int(OLDEST * (len(others) - 1))])
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


def _streams(sketches: ir.Table, templates: pa.Table, operators: pa.Table) -> pa.Table:
    """Events of members of operators with tokens of their own, in order: account, operator, time, origin, foreign.

    An event is foreign by its template or by the exit it left from.
    """
    known = ibis.memtable(templates)
    members = ibis.memtable(operators.select(["account_id", "operator_id"]))
    concerned = members.filter(members.operator_id.isin(templates["operator_id"].unique().to_pylist()))
    t = sketches.select(
        "account_id",
        "time",
        origin=sketches.address_prefix.fill_null("-") + "|" + sketches.user_agent.fill_null("-"),
        system=sketches.system_skeleton.cast("string"),
        lead=sketches.lead_skeleton.cast("string"),
        left_from=sketches.address_prefix,
    ).join(concerned, "account_id")
    system = known.filter(known["view"] == "system_skeleton").select(
        operator_id="operator_id", system="token", by_system=True
    )
    lead = known.filter(known["view"] == "lead_skeleton").select(operator_id="operator_id", lead="token", by_lead=True)
    exits = known.filter(known["view"] == EXITS).select(operator_id="operator_id", left_from="token", by_exit=True)
    marked = t.left_join(system, ["operator_id", "system"]).left_join(lead, ["operator_id", "lead"])
    marked = marked.left_join(exits, ["operator_id", "left_from"])
    foreign = marked.by_system.fill_null(False) | marked.by_lead.fill_null(False) | marked.by_exit.fill_null(False)
    flat = marked.select("account_id", "operator_id", "time", "origin", foreign=foreign)
    own = ~flat.foreign
    accounts = flat.group_by("account_id").agg(
        own=own.sum(), days=flat.time.date().nunique(where=own), theirs=flat.foreign.sum()
    )
    chosen = accounts.filter((accounts.own >= LEAST_OWN) & (accounts.days >= LEAST_DAYS) & (accounts.theirs > 0))
    return (
        flat.semi_join(chosen, "account_id")
        .to_pyarrow()
        .sort_by([(name, "ascending") for name in ("account_id", "time", "foreign", "origin")])
    )


def _victims(streams: pa.Table) -> pa.Table:
    """Accounts whose own stream came first and from elsewhere."""
    found = []
    accounts = streams["account_id"].to_numpy(zero_copy_only=False)
    foreign = streams["foreign"].to_numpy(zero_copy_only=False).astype(bool)
    origin = streams["origin"].to_numpy(zero_copy_only=False)
    cuts = np.flatnonzero(accounts[1:] != accounts[:-1]) + 1 if len(accounts) else np.empty(0, np.int64)
    for rows in np.split(np.arange(len(accounts)), cuts) if len(accounts) else []:
        start, bits = change(foreign[rows])
        mine, theirs = rows[:start][~foreign[rows[:start]]], rows[start:][foreign[rows[start:]]]
        if bits >= LEAST_BITS and np.isin(origin[theirs], origin[mine]).mean() <= MOST_OVERLAP:
            row = int(rows[start])
            found.append(
                (str(accounts[row]), streams["operator_id"][row].as_py(), bits, len(rows) - len(theirs), len(theirs),
                 streams["time"][row].as_py())
            )  # fmt: skip
    columns: list[list[object]] = [list(column) for column in zip(*found, strict=True)] or [[] for _ in VICTIMS]
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, VICTIMS, strict=True)], schema=VICTIMS
    )
