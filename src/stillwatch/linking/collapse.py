"""Explained away first: accounts of a known organisation are one node.

Known is an organisation whose accounts the provider verified, or that signed up as an enterprise or a reseller. What
nobody verified stays apart: a name given at sign-up is a trait, not a fact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.linking.matrix import Ints

DECLARED_PATHS = ("enterprise", "reseller")


@dataclass(frozen=True)
class Nodes:
    """Accounts in the order of their ids, and the node that each belongs to."""

    ids: pa.Array
    node_of: Ints
    """[accounts]; nodes in the order of their first account."""
    first: Ints
    """First account of each node, [N]."""

    def __len__(self) -> int:
        return len(self.first)

    @property
    def names(self) -> list[str]:
        """Least account id of each node."""
        return [str(name) for name in self.ids.take(pa.array(self.first)).to_pylist()]

    @property
    def sizes(self) -> Ints:
        """Accounts of each node, [N]."""
        return np.bincount(self.node_of, minlength=len(self)).astype(np.int64)


def collapse(ids: pa.Array, accounts: pa.Table | None) -> Nodes:
    """Nodes of the accounts `ids` (sorted, unique); without an accounts table every account is its own."""
    group = np.arange(len(ids), dtype=np.int64)
    if accounts is not None and "org_id" in accounts.column_names and len(accounts):
        place = pc.index_in(accounts["account_id"], value_set=ids).to_numpy(zero_copy_only=False).astype(np.int64)
        organisation, known = _organisations(accounts)
        member = known[np.maximum(organisation, 0)] & (organisation >= 0)
        least = np.full(len(known), len(ids), dtype=np.int64)
        np.minimum.at(least, organisation[member], place[member])
        group[place[member]] = least[organisation[member]]
    first, node_of = np.unique(group, return_inverse=True)
    return Nodes(ids, node_of.ravel().astype(np.int64), first.astype(np.int64))


def declared(nodes: Nodes, accounts: pa.Table | None) -> np.ndarray:
    """Nodes that are a known organisation of several accounts, or an enterprise or a reseller by sign-up, [N]."""
    out = nodes.sizes > 1
    if accounts is not None and "path" in accounts.column_names:
        known = _truth(pc.fill_null(pc.is_in(accounts["path"], value_set=pa.array(DECLARED_PATHS)), False))
        place = pc.index_in(accounts["account_id"], value_set=nodes.ids).to_numpy(zero_copy_only=False).astype(np.int64)
        out[nodes.node_of[place[known]]] = True
    return out


def _organisations(accounts: pa.Table) -> tuple[Ints, np.ndarray]:
    """Organisation of each row, -1 if none, and which organisations are known."""
    codes = accounts["org_id"].combine_chunks().cast(pa.string()).dictionary_encode()
    organisation = codes.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    vouched = np.zeros(len(accounts), dtype=bool)
    if "verified" in accounts.column_names:
        vouched |= _truth(pc.fill_null(accounts["verified"], False))
    if "path" in accounts.column_names:
        vouched |= _truth(pc.fill_null(pc.is_in(accounts["path"], value_set=pa.array(DECLARED_PATHS)), False))
    known = np.zeros(max(len(codes.dictionary), 1), dtype=bool)
    known[organisation[(organisation >= 0) & vouched]] = True
    return organisation, known


def _truth(column: pa.ChunkedArray) -> np.ndarray:
    return column.to_numpy().astype(bool)
