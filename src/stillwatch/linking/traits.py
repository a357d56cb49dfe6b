"""Sketches and accounts -> traits: account x view x token, with the number of events that carry it.

Relational steps are Ibis expressions, so that they run on any engine; hashes come from ingest, never from an engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.linking.views import VIEWS
from stillwatch.model import TRAITS

SAMPLE = 4
"""`item_sample` keeps items whose hash is divisible by this."""

Expression = Callable[[ir.Table], ir.Value]


def _text(value: ir.Value) -> ir.Value:
    return value.cast("string")


def _join(*parts: ir.Value) -> ir.Value:
    """Parts with bars between them; null if any part is null."""
    out = _text(parts[0])
    for part in parts[1:]:
        out = out + "|" + _text(part)
    return out


def _known(value: ir.Value) -> ir.Value:
    return _text(value).fill_null("-")


def _bucket(t: ir.Table, seconds: int) -> ir.Value:
    # whole seconds first: DuckDB rounds, and the last half second of an hour is not in the next one
    return t.time.truncate("s").epoch_seconds().cast("int64") // seconds


TOKENS: Mapping[str, Expression] = {
    "system_skeleton": lambda t: _text(t.system_skeleton),
    "tools": lambda t: _text(t.tools_skeleton),
    "lead_skeleton": lambda t: _text(t.lead_skeleton),
    "frame": lambda t: _join(t.lead_skeleton, t.trail_skeleton),
    "skeleton": lambda t: _text(t.skeleton),
    "near_duplicate": lambda t: _text(t.bands[0]),
    "item": lambda t: _text(t.item),
    "item_hour": lambda t: _join(t.item, _bucket(t, 3600)),
    "skeleton_hour": lambda t: _join(t.lead_skeleton, _bucket(t, 3600)),
    "skeleton_10min": lambda t: _join(t.lead_skeleton, _bucket(t, 600)),
    "address": lambda t: _text(t.address),
    "address_day": lambda t: _join(t.address, _bucket(t, 86_400)),
    "address_prefix": lambda t: _text(t.address_prefix),
    "client": lambda t: ibis.ifelse(
        t.user_agent.notnull() | t.ja4.notnull(),
        _known(t.user_agent) + "|" + _known(t.ja4),
        ibis.null("string"),
    ),
    "conversation": lambda t: _text(t.conversation_id),
    "reasoning_signature": lambda t: _text(t.reasoning_signature),
    "key": lambda t: _text(t.key_id),
    "parameters": lambda t: ibis.ifelse(
        t.max_tokens.notnull() | t.temperature.notnull() | t.top_p.notnull(),
        _known(t.max_tokens) + "|" + _known(t.temperature) + "|" + _known(t.top_p),
        ibis.null("string"),
    ),
    "item_sample": lambda t: ibis.ifelse(
        t.item % SAMPLE == 0, _known(t.lead_skeleton) + ":" + _text(t.item), ibis.null("string")
    ),
    "active_hour": lambda t: ibis.ifelse(t.turns.fill_null(1) <= 1, _text(_bucket(t, 3600)), ibis.null("string")),
    "model_day": lambda t: _join(t.model, t.time.date()),
    "carrier": lambda t: _text(t.asn),
    "country": lambda t: _text(t.country),
}
"""View -> token of an event; null where the event has none. Every engine must give the same strings."""


def from_sketches(sketches: ir.Table) -> ir.Table:
    """Traits of a sketches table (model.SKETCHES), unread until run: model.TRAITS by view, token and account."""
    parts = [_view(sketches, name, token) for name, token in TOKENS.items()]
    return ibis.union(*parts, distinct=False).order_by(["view", "token", "account_id"])


def _view(sketches: ir.Table, name: str, token: Expression) -> ir.Table:
    rows = sketches.select(account_id=sketches.account_id, token=token(sketches))
    counted = rows.filter(rows.token.notnull()).group_by(["account_id", "token"]).agg(n=ibis._.count())
    if not VIEWS[name].single:
        # every row is one account: tokens that one account holds cannot link
        counted = counted.mutate(held=ibis._.count().over(ibis.window(group_by="token")))
        counted = counted.filter(counted.held > 1).drop("held")
    return counted.select(
        account_id=counted.account_id, view=ibis.literal(name), token=counted.token, n=counted.n.cast("int64")
    )


def from_accounts(accounts: pa.Table) -> pa.Table:
    """Traits of the accounts table (model.ACCOUNTS; columns may be absent), by view, token and account."""
    columns = {
        "payment": _column(accounts, "payment_id"),
        "phone": _column(accounts, "phone_id"),
        "organisation": _column(accounts, "org_id"),
        "email_domain": _column(accounts, "email_domain"),
        "registration": _registration(accounts),
        "signup_burst": _created(accounts, 600),
    }
    ids = accounts["account_id"].combine_chunks().cast(pa.string())
    parts = [_shared(ids, name, tokens) for name, tokens in columns.items() if tokens is not None]
    whole = pa.concat_tables([TRAITS.empty_table(), *parts])
    return whole.sort_by([("view", "ascending"), ("token", "ascending"), ("account_id", "ascending")])


def combine(traits: pa.Table, accounts: pa.Table | None) -> pa.Table:
    """Traits of the events, then those of the accounts table."""
    parts = [traits.select(TRAITS.names).cast(TRAITS)]
    if accounts is not None:
        parts.append(from_accounts(accounts))
    return pa.concat_tables(parts)


def _column(accounts: pa.Table, name: str) -> pa.Array | None:
    if name not in accounts.column_names or accounts[name].null_count == len(accounts):
        return None
    return accounts[name].combine_chunks().cast(pa.string())


def _created(accounts: pa.Table, seconds: int) -> pa.Array | None:
    """Time of sign-up in steps of `seconds`."""
    if "created_at" not in accounts.column_names or accounts["created_at"].null_count == len(accounts):
        return None
    created = accounts["created_at"].combine_chunks().cast(pa.timestamp("us")).cast(pa.int64())
    micros = created.to_numpy(zero_copy_only=False)
    known = np.isfinite(micros.astype(np.float64))
    steps = np.where(known, np.nan_to_num(micros.astype(np.float64)) // (seconds * 1e6), 0).astype(np.int64)
    return pa.array(steps, mask=~known).cast(pa.string())


def _registration(accounts: pa.Table) -> pa.Array | None:
    """Path, country, mail domain and hour of sign-up together; null without the hour."""
    hour = _created(accounts, 3600)
    if hour is None:
        return None
    parts = [_column(accounts, name) for name in ("path", "country", "email_domain")]
    known = [pc.fill_null(part, "-") for part in parts if part is not None]
    return pc.binary_join_element_wise(*known, hour, "|")


def _shared(ids: pa.Array, name: str, tokens: pa.Array) -> pa.Table:
    """Rows of one view; tokens of one account only where the view keeps them."""
    codes = tokens.dictionary_encode().indices
    index = pc.fill_null(codes, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    held = np.bincount(index[index >= 0], minlength=1)
    keep = (index >= 0) & (VIEWS[name].single | (held[np.maximum(index, 0)] > 1))
    rows = np.flatnonzero(keep)
    return pa.table(
        [
            ids.take(pa.array(rows)),
            pa.array([name] * len(rows), pa.string()),
            tokens.take(pa.array(rows)),
            pa.array(np.ones(len(rows), np.int64)),
        ],
        schema=TRAITS,
    )
