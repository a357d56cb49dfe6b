"""Operators keep their ids: from one look to the next, through growth, bans and replacement.

An operator of the new look takes the id of the old one whose core it holds. The core of an old operator are its proven
members (all of them if none is proven). Pairs of an old and a new operator that share core members are taken in this
order, each operator once:

1. more shared core members, then more shared members of any kind;
2. the lesser old id, then the lesser account of the new operator.

So of an operator that splits the larger part keeps the id, of operators that merge the larger one's id survives (larger
by what it brings), and one shared core member is enough. This is the stable matching under that order. A matching of
greatest total overlap would not do: if P holds six of A's ten members and all four of B, and Q the other four of A, it
gives A's id to Q, the smaller part.

A lone account carries on an operator of several only when it is the last of them that is left. No id is given to a new
operator that an old one bore.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.linking.operators import name
from stillwatch.model import OPERATORS

MERGED = pa.schema([("operator_id", pa.string()), ("merged_into", pa.string())])
"""Old operators of several accounts whose id ended because another operator holds most of their members."""


def carry(previous: pa.Table, current: pa.Table) -> pa.Table:
    """`current` (model.OPERATORS) under the ids of `previous`, rows in the order of `current`; see the module.

    It does not depend on the order of rows, nor on the ids in `current` where an old one fits, and
    `carry(previous, carry(previous, current)) == carry(previous, current)`.
    """
    new_ids = names(previous, current)
    operator = current["operator_id"].combine_chunks().dictionary_encode()
    renamed = pa.array([new_ids[old] for old in operator.dictionary.to_pylist()], pa.string())
    place = current.schema.get_field_index("operator_id")
    return current.set_column(place, OPERATORS.field("operator_id"), renamed.take(operator.indices))


def names(previous: pa.Table, current: pa.Table) -> dict[str, str]:
    """Operator id in `current` -> the id it gets."""
    least = _least(current)
    out: dict[str, str] = {}
    given: set[str] = set()
    for old, new in _pairs(previous, current, least):
        if old not in given and new not in out:
            out[new] = old
            given.add(old)
    old_ids = set(previous["operator_id"].to_pylist())
    used = old_ids | set(least)
    for new, account in sorted(least.items(), key=lambda item: item[1]):
        if new not in out:
            out[new] = new if new not in old_ids else next(n for n in _fresh(account) if n not in used)
            used.add(out[new])
    return out


def merged(previous: pa.Table, current: pa.Table) -> pa.Table:
    """MERGED: old operators of several whose id nobody bears in `current`, which has been carried, and who holds most.

    An operator whose accounts are all gone, or all alone now, merged with nobody and has no row.
    """
    ended = set(previous["operator_id"].to_pylist()).difference(current["operator_id"].to_pylist())
    ended.difference_update(_lone(previous).to_pylist())
    into: dict[str, str] = {}
    for old, new in _pairs(previous, current, _least(current)):
        if old in ended:
            into.setdefault(old, new)
    rows = sorted(into.items())
    return pa.table([pa.array([row[k] for row in rows], pa.string()) for k in (0, 1)], schema=MERGED)


def remember(memory: pa.Table, current: pa.Table) -> pa.Table:
    """What to carry from next time: `current`, and who was last together in operators that are not there just now.

    Accounts that left the log, and accounts now alone whose operator of several nobody carries on, keep their row of
    `memory`, so that an operator that links lose for a day comes back under its id.
    """
    together = current.filter(pc.invert(_in(current, "operator_id", _lone(current))))
    dormant = memory.filter(pc.invert(_in(memory, "operator_id", current["operator_id"])))
    dormant = dormant.filter(pc.invert(_in(dormant, "account_id", together["account_id"])))
    dormant = dormant.filter(pc.invert(_in(dormant, "operator_id", _lone(dormant))))
    gone = memory.filter(pc.invert(_in(memory, "account_id", current["account_id"])))
    gone = gone.filter(pc.invert(_in(gone, "account_id", dormant["account_id"])))
    here = current.filter(pc.invert(_in(current, "account_id", dormant["account_id"])))
    return pa.concat_tables([here, dormant, gone]).sort_by("account_id")


def _in(table: pa.Table, column: str, values: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.is_in(table[column], value_set=values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values)


def _lone(operators: pa.Table) -> pa.Array:
    """Ids of operators of one account."""
    counted = operators["operator_id"].combine_chunks().value_counts()
    return counted.field("values").filter(pc.equal(counted.field("counts"), 1))


def _least(operators: pa.Table) -> dict[str, str]:
    """Least account of each operator."""
    found = operators.group_by("operator_id").aggregate([("account_id", "min")])
    return dict(zip(found["operator_id"].to_pylist(), found["account_id_min"].to_pylist(), strict=True))


def _pairs(previous: pa.Table, current: pa.Table, least: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Old and new operators that share core members, in the order in which they are matched."""
    shared = _shared(previous, current)
    old, new = shared["operator_id"].to_pylist(), shared["new"].to_pylist()
    core, all_ = shared["core_sum"].to_pylist(), shared["core_count"].to_pylist()
    survivors, size = shared["survivors"].to_pylist(), shared["size"].to_pylist()
    order = sorted(range(len(old)), key=lambda k: (-core[k], -all_[k], old[k], least[new[k]]))
    for k in order:
        left_behind = size[k] == 1 and survivors[k] > 1
        if core[k] and not left_behind:
            yield old[k], new[k]


def _shared(previous: pa.Table, current: pa.Table) -> pa.Table:
    """Pairs of an old operator and a `new` one that share accounts.

    `core_sum` of `core_count` shared accounts are core; `survivors` of the old one are in `current` at all; the new one
    has `size` accounts.
    """
    flagged = previous.select(["account_id", "operator_id"]).append_column("core", _core(previous))
    sizes = current.group_by("operator_id").aggregate([("account_id", "count")]).rename_columns(["new", "size"])
    both = flagged.join(
        current.select(["account_id", "operator_id"]), "account_id", right_suffix="_now", join_type="inner"
    )
    pairs = both.group_by(["operator_id", "operator_id_now"]).aggregate([("core", "sum"), ("core", "count")])
    pairs = pairs.rename_columns(["operator_id", "new", "core_sum", "core_count"])
    survivors = both.group_by("operator_id").aggregate([("core", "count")]).rename_columns(["operator_id", "survivors"])
    return pairs.join(survivors, "operator_id").join(sizes, "new")


def _core(operators: pa.Table) -> pa.Array:
    """1 for the core of each operator: its proven members, or all where none is."""
    codes = operators["operator_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    proven = operators["proven"].combine_chunks().fill_null(False).to_numpy(zero_copy_only=False)
    some = np.bincount(codes, weights=proven, minlength=1) > 0
    return pa.array((proven | ~some[codes]).astype(np.int64))


def _fresh(account: str) -> Iterator[str]:
    """Names for an operator whose own is borne by another already."""
    number = 0
    while True:
        number += 1
        yield name(f"{account}\0{number}")
