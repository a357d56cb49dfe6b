"""A log in which who asks what and who comes from where have nothing to do with each other: nobody is guilty in it.

Both margins stay real. What each account asks, when, and what it gets stay with it, and the organisation that its keys
belong to; what could show one hand (cards, sign-ups, mail, phones, addresses, clients) is another account's, drawn at
random among all. Sources of text, applications and classes are still there, and so are households, carriers and shared
exits, but no source of text lies in one hand. So every accusation is false.

Drawn among all, not among accounts of like volume: few are as large as the seats of an enterprise, so that its seats
would be dealt one another's cards and offices and those of the next enterprise, which makes one hand of the two.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Ints = npt.NDArray[np.int64]
EXITS = ("client_address", "asn", "country", "user_agent", "ja4")
IDENTITY = ("created_at", "path", "payment_id", "email_domain", "phone_id", "country")


def deal(world: Path, seed: int) -> None:
    """Rewrite the events and accounts of a world folder in place."""
    accounts = pq.read_table(world / "accounts.parquet")
    files = sorted((world / "events").rglob("*.parquet"))
    tables = [pq.ParquetFile(path).read() for path in files]
    events = pa.concat_tables(tables)
    ids = accounts["account_id"].combine_chunks()
    of = pc.index_in(events["account_id"], value_set=ids).to_numpy(zero_copy_only=False).astype(np.int64)
    other = np.random.default_rng([seed, 21]).permutation(len(ids)).astype(np.int64)
    rows = donors(of, other)
    for name in EXITS:
        place = events.schema.get_field_index(name)
        events = events.set_column(place, events.field(name), events[name].take(pa.array(rows)))
    for name in IDENTITY:
        place = accounts.schema.get_field_index(name)
        accounts = accounts.set_column(place, accounts.field(name), accounts[name].take(pa.array(other)))
    start = 0
    for path, table in zip(files, tables, strict=True):
        pq.write_table(events.slice(start, len(table)), path, compression="zstd")
        start += len(table)
    pq.write_table(accounts, world / "accounts.parquet")


def donors(of: Ints, other: Ints) -> Ints:
    """For each event the event whose exit it gets: its account's partner's, in order of rows, again from the first if
    there are too few; its own if the partner has none, [E]."""
    order = np.argsort(of, kind="stable")
    count = np.bincount(of, minlength=len(other))
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    rank = np.empty(len(of), np.int64)
    rank[order] = np.arange(len(of)) - first[of[order]]
    giver = other[of]
    some = count[giver] > 0
    place = first[giver] + rank % np.maximum(count[giver], 1)
    return np.where(some, order[np.minimum(place, len(of) - 1)], np.arange(len(of)))
