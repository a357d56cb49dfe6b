"""Sketches and accounts -> traits: account x view x token, with the number of events that carry it.

Relational steps are Ibis expressions, so that they run on any engine; hashes come from ingest, never from an engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.linking.views import VIEWS
from stillwatch.model import TRAITS

SAMPLE = 4
"""`item_sample` keeps items whose hash is divisible by this."""

Parts = Callable[[ir.Table], tuple[ir.Value, ...]]


@dataclass(frozen=True)
class Token:
    """How an event's token comes about: `parts` with `glue` between them; none where a part is null.

    Rows are grouped by the parts as they are and written out as text only where a token is kept, since most are not:
    so different parts must be different texts. Where parts are text already, `raw` names the columns that they are made
    of: events that are alike in these are counted first, and texts are made once for all of them.
    """

    parts: Parts
    glue: str = "|"
    raw: tuple[str, ...] = ()

    def spelled(self, values: Sequence[ir.Value]) -> ir.Value:
        """The token as text, of the values of its parts; null where one is null."""
        out = _text(values[0])
        for value in values[1:]:
            out = out + self.glue + _text(value)
        return out


def _text(value: ir.Value) -> ir.Value:
    return value.cast("string")


def _known(value: ir.Value) -> ir.Value:
    return _text(value).fill_null("-")


def _decimal(value: ir.Value) -> ir.Value:
    """A number as text that every engine writes alike: in millionths, since engines print fractions differently."""
    return _known((value.clip(-1e9, 1e9) * 1e6).round().cast("int64"))


def _client(t: ir.Table) -> tuple[ir.Value, ...]:
    some = t.user_agent.notnull() | t.ja4.notnull()
    return (ibis.ifelse(some, _known(t.user_agent) + "|" + _known(t.ja4), ibis.null("string")),)


def _parameters(t: ir.Table) -> tuple[ir.Value, ...]:
    some = t.max_tokens.notnull() | t.temperature.notnull() | t.top_p.notnull()
    said = _known(t.max_tokens) + "|" + _decimal(t.temperature) + "|" + _decimal(t.top_p)
    return (ibis.ifelse(some, said, ibis.null("string")),)


def _item_sample(t: ir.Table) -> tuple[ir.Value, ...]:
    return _known(t.lead_skeleton), ibis.ifelse(t.item % SAMPLE == 0, t.item, ibis.null(t.item.type()))


def _active_hour(t: ir.Table) -> tuple[ir.Value, ...]:
    return (ibis.ifelse(t.turns.fill_null(1) <= 1, _bucket(t, 3600), ibis.null("int64")),)


def _bucket(t: ir.Table, seconds: int) -> ir.Value:
    # whole seconds first: DuckDB rounds, and the last half second of an hour is not in the next one
    return t.time.epoch_seconds().floor().cast("int64") // seconds


TOKENS: Mapping[str, Token] = {
    "system_skeleton": Token(lambda t: (t.system_skeleton,)),
    "tools": Token(lambda t: (t.tools_skeleton,)),
    "lead_skeleton": Token(lambda t: (t.lead_skeleton,)),
    "address": Token(lambda t: (t.address,)),
    "address_prefix": Token(lambda t: (t.address_prefix,)),
    "client": Token(_client, raw=("user_agent", "ja4")),
    "conversation": Token(lambda t: (t.conversation_id,)),
    "reasoning_signature": Token(lambda t: (t.reasoning_signature,)),
    "key": Token(lambda t: (t.key_id,)),
    "parameters": Token(_parameters, raw=("max_tokens", "temperature", "top_p")),
    "item_sample": Token(_item_sample, glue=":"),
    "active_hour": Token(_active_hour),
    "model_day": Token(lambda t: (t.model, t.time.date())),
    "carrier": Token(lambda t: (t.asn,)),
    "country": Token(lambda t: (t.country,)),
}
"""View -> token of an event; null where the event has none. Every engine must give the same strings."""


def from_sketches(sketches: ir.Table) -> Iterator[ir.Table]:
    """Traits of a sketches table (model.SKETCHES), view by view in the order of their names; each by token and account.

    One after the other, so that an engine holds one view at a time.
    """
    for name in sorted(TOKENS):
        counts, keys = counted(sketches, name)
        if not VIEWS[name].single:
            counts = shared(counts, keys)
        yield spelled(counts, name, keys).order_by(["token", "account_id"])


def counted(sketches: ir.Table, name: str, *more: str) -> tuple[ir.Table, list[str]]:
    """Events `n` of each account, value of the columns `more` and token in view `name`, by the token's parts; and the
    parts' names."""
    token = TOKENS[name]
    if token.raw:
        columns = ["account_id", *more, *token.raw]
        sketches = sketches.group_by(columns).agg(n=sketches.count())
    parts = {f"part{number}": part for number, part in enumerate(token.parts(sketches))}
    rows = sketches.select("account_id", *more, *(["n"] if token.raw else []), **parts)
    rows = rows.filter(*(rows[part].notnull() for part in parts))
    n = rows.n.sum() if token.raw else rows.count()
    return rows.group_by(["account_id", *more, *parts]).agg(n=n), list(parts)


def shared(counts: ir.Table, keys: Sequence[str]) -> ir.Table:
    """Rows whose token two accounts hold: one that a single account holds cannot link."""
    held = counts.group_by(keys).agg(least=counts.account_id.min(), most=counts.account_id.max())
    return counts.semi_join(held.filter(held.least != held.most), list(keys))


def spelled(counts: ir.Table, name: str, keys: Sequence[str], *more: str) -> ir.Table:
    """model.TRAITS, and columns `more`, of the rows of one view."""
    token = TOKENS[name].spelled([counts[key] for key in keys])
    kept = {column: counts[column] for column in more}
    return counts.select(
        **kept, account_id="account_id", view=ibis.literal(name), token=token, n=counts.n.cast("int64")
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
